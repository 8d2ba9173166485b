-- wrk --script wrk.lua URL -- FILE: sends the batches in FILE, one per line, in turn, and ends with a line of totals:
-- TOTALS <batches> <microseconds> <p50 in microseconds> <bytes> <errors>
local requests, turn = {}, 0

function init(arguments)
  for batch in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("POST", "/batch", { ["Content-Type"] = "application/json" }, batch)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("TOTALS %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50), summary.bytes, failed))
end
