-- Runs before a request of a protected location is passed on.

require("kcompile.access").run(ngx.var.access_rule)
