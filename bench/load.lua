-- Sends the requests that a file lists, in turns, and says in one line what came of them.
local requests, turn = {}, 0

function init(args)
   for line in io.lines(args[1]) do
      local path, host, tenant = line:match("^(%S+) (%S+) ?(%S*)$")
      local headers = { Host = host }
      if tenant ~= "" then
         headers["X-Tenant"] = tenant
      end
      requests[#requests + 1] = wrk.format("GET", path, headers)
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function done(summary)
   local e = summary.errors
   local failed = e.connect + e.read + e.write + e.status + e.timeout
   io.write(string.format("result %d %d %d\n", summary.requests, summary.duration, failed))
end
