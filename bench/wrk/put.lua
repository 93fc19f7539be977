-- PUT a new value to /bench/kvs/put-00000 to put-09999, at random.
dofile("checked.lua")

local KEYS = 10000
local requests = {}

function prepare()
   math.randomseed(2)
   wrk.headers["Content-Type"] = "application/json"
   for number = 1, KEYS do
      local body = string.format('{"by":"wrk","number":%05d,"text":"%s"}', 10000 + number, string.rep("y", 80))
      requests[number] = wrk.format("PUT", string.format("/bench/kvs/put-%05d", number - 1), nil, body)
   end
end

function request()
   return requests[math.random(KEYS)]
end
