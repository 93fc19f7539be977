-- Loaded by every script here.  Checks status and length of each answer, and ends with one line of JSON.
--
-- wrk runs it in its own thread for requests and answers, and once more for setup() and done(); what the thread has
-- counted is fetched through thread:get().

local threads = {}
local status_expected, length_expected

wrong_statuses = 0
wrong_lengths = 0

function setup(thread)
   table.insert(threads, thread)
end

-- args: the status of a right answer, the length of its body, how many connections; what else a script wants it finds
-- in arguments.
-- A script whose right answers differ in length has an is_right(body) of its own, which is asked instead.
function init(args)
   arguments = args
   status_expected = tonumber(args[1])
   length_expected = tonumber(args[2])
   if prepare then prepare() end
end

function response(status, headers, body)
   if status ~= status_expected then
      wrong_statuses = wrong_statuses + 1
   elseif is_right then
      if not is_right(body) then wrong_lengths = wrong_lengths + 1 end
   elseif #body ~= length_expected then
      wrong_lengths = wrong_lengths + 1
   end
end

function done(summary, latency, requests)
   local statuses, lengths, counted, counted_us = 0, 0, 0, 0
   for _, thread in ipairs(threads) do
      statuses = statuses + thread:get("wrong_statuses")
      lengths = lengths + thread:get("wrong_lengths")
      -- Of a script that leaves the opening out.
      counted = counted + (thread:get("counted") or 0)
      counted_us = math.max(counted_us, thread:get("counted_us") or 0)
   end
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"took_us":%d,"wrong_statuses":%d,"wrong_lengths":%d,' ..
      '"socket_errors":%d,"timeouts":%d,"p50_us":%d,"p99_us":%d,"counted":%d,"counted_us":%d}\n',
      summary.requests, summary.duration, statuses, lengths,
      errors.connect + errors.read + errors.write, errors.timeout,
      latency:percentile(50), latency:percentile(99), counted, counted_us))
end
