-- GET, always the same.  Who waits for 50 ms is asked by so many at once that to open their connections takes a good
-- part of a short run: what counts begins with the answer with which there are as many as connections, and ends with
-- the last one, so that no wave of answers is cut in two either.  Less than one more wave says nothing.
dofile("checked.lua")

local ffi = require("ffi")
ffi.cdef("struct moment { long s, ns; }; int clock_gettime(int, struct moment *);")
local CLOCK_MONOTONIC = 1

local check, moment = response, ffi.new("struct moment")
local connections, answers, opened_us = 0, 0, 0

counted = 0
counted_us = 0

function prepare()
   connections = tonumber(arguments[3])
end

function response(status, headers, body)
   check(status, headers, body)
   answers = answers + 1
   if answers < connections then return end
   ffi.C.clock_gettime(CLOCK_MONOTONIC, moment)
   local now_us = tonumber(moment.s) * 1e6 + tonumber(moment.ns) / 1e3
   if answers == connections then
      opened_us = now_us
   elseif answers >= 2 * connections then
      counted = answers - connections
      counted_us = now_us - opened_us
   end
end
