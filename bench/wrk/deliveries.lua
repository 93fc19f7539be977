-- Sends whole requests out of a file, each once: proofs of platforms cannot be made here, and not at this speed.
-- bench/wrk/deliveries.py writes the file; a script's third argument is its path.
dofile("checked.lua")

-- wrk asks for one request beforehand, to see how many are in it, and does not send it.
local requests, sent = {}, -1

function prepare()
   local file = assert(io.open(arguments[4], "rb"))
   while true do
      local length = file:read("*l")
      if not length then break end
      requests[#requests + 1] = file:read(tonumber(length))
   end
   file:close()
end

function request()
   sent = sent + 1
   if sent == 0 then return requests[1] end
   -- Nothing is sent twice.  Whoever has too few of them is told so by a wrong status.
   return requests[sent] or "GET /no/messages/left HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
end
