-- Sends a POST by plain HTTP/1.1 and reads a small answer, all of it within a time and a size: whoever
-- answers is known by an address alone.

local http_answer = require("kcompile.http_answer")

local ANSWER_BYTES = 98304
-- Whoever sends byte by byte must not keep a worker busy, since an answer is looked at after each.
local MOST_READS = 256
local DEFAULT_PORT = 80

local _M = {}

-- Only what is sound is taken from an address: it goes into a request, and a socket would take more
-- than hosts for one.
local function split_authority(authority)
    local host, port = authority:match("^([%w%._-]+):?(%d*)$")
    if not host then
        host, port = authority:match("^(%[[%x:%.]+%]):?(%d*)$")
    end
    port = host and (port == "" and DEFAULT_PORT or tonumber(port))
    return port and port >= 1 and port <= 65535 and host or nil, port
end

-- Returns the parts of an address that can be asked: `host`, `port`, `authority`, `target`; nil for all
-- others.
function _M.split(url)
    if url:find("[^!-~]") then
        return nil
    end
    local authority, target = url:match("^[hH][tT][tT][pP]://([^/?#]+)([^#]*)")
    local host, port = split_authority(authority or "")
    if not host then
        return nil
    end
    target = target:sub(1, 1) == "/" and target or "/" .. target
    return { host = host, port = port, authority = authority, target = target }
end

local function request(to, proxied, kind, body)
    return table.concat({
        "POST ", proxied and "http://" .. to.authority or "", to.target, " HTTP/1.1\r\n",
        "Host: ", to.authority, "\r\n",
        "Content-Type: ", kind, "\r\n",
        "Content-Length: ", #body, "\r\n",
        "Connection: close\r\n\r\n", body,
    })
end

-- Gives a socket what is left of the time, in milliseconds; none is left if it returns nil.
local function hurry(socket, deadline)
    local left = (deadline - ngx.now()) * 1000
    if left <= 0 then
        return nil
    end
    socket:settimeout(math.ceil(left))
    return true
end

local function receive(socket, deadline)
    local answer = http_answer.new()
    for _ = 1, MOST_READS do
        if not hurry(socket, deadline) then
            return nil, "timeout"
        end
        local piece, reason = socket:receiveany(ANSWER_BYTES)
        if not piece and reason ~= "closed" then
            return nil, reason
        end
        if #answer.text + #(piece or "") > ANSWER_BYTES then
            return nil, "the answer is too long"
        end
        local body
        body, reason = http_answer.add(answer, piece)
        if body or reason then
            return body, reason
        end
    end
    return nil, "the answer comes in too many pieces"
end

local function exchange(socket, host, port, text, deadline)
    if not hurry(socket, deadline) then
        return nil, "timeout"
    end
    local done, reason = socket:connect(host, port)
    if not done then
        return nil, reason
    end
    if not hurry(socket, deadline) then
        return nil, "timeout"
    end
    done, reason = socket:send(text)
    if not done then
        return nil, reason
    end
    return receive(socket, deadline)
end

-- Posts a body of a kind to what split() returned, through a proxy if it has a host; returns the
-- body of the answer, or nil and why there is none.
function _M.post(to, kind, body, timeout, proxy)
    local deadline = ngx.now() + timeout
    local proxied = proxy.host ~= nil
    local text = request(to, proxied, kind, body)
    local socket = ngx.socket.tcp()
    local found, reason =
        exchange(socket, proxy.host or to.host, proxied and proxy.port or to.port, text, deadline)
    socket:close()
    return found, reason
end

return _M
