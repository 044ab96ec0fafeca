-- Runs once in nginx's master process, when it starts and when it reloads, before there are workers:
-- each module reads here what it will answer from. An error keeps nginx from starting, and a running
-- one at its old configuration.

require("kcompile.certificates").init()
require("kcompile.access").init()

-- What was read on the way need not be in every worker.
collectgarbage()
