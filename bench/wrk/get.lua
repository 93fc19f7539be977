-- GET /bench/kvs/get-00000 to get-09999, at random.
dofile("checked.lua")

local KEYS = 10000
local requests = {}

-- Made beforehand: formatting one costs the generator more than sending it.
function prepare()
   math.randomseed(1)
   for number = 1, KEYS do
      requests[number] = wrk.format("GET", string.format("/bench/kvs/get-%05d", number - 1))
   end
end

function request()
   return requests[math.random(KEYS)]
end
