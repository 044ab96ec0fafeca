-- Asks the responders that certificates name whether they were revoked, and remembers the answers for
-- all workers. Only for certificates that were verified: trusted authorities alone choose addresses.

local ocsp = require("kcompile.ocsp")
local http = require("kcompile.post")
local x509 = require("kcompile.x509")

local MEMORY = "kcompile_responders"
local KIND = "application/ocsp-request"
-- For how long nobody asks again who gave no answer: else each request waited for it.
local TROUBLE_SECONDS = 5
-- How long requests wait for the answer to the same question before they look again.
local GLANCE_SECONDS = 0.02
local MILLISECONDS = 1000

local _M = {}

local function null(value)
    return value ~= ngx.null and value or nil
end

-- Reads how a trust of the data asks; see access.lua.
function _M.load(id, said)
    local ways = type(said) == "table" and said or {}
    local host, port = null(ways.proxy_host), null(ways.proxy_port)
    if type(ways.timeout) ~= "number" or (host == nil) ~= (port == nil)
        or host and (type(host) ~= "string" or type(port) ~= "number")
    then
        error("trust " .. id .. " does not say how responders are asked", 0)
    end
    if ngx.shared[MEMORY] == nil then
        error("there is no lua_shared_dict " .. MEMORY, 0)
    end
    return {
        timeout = ways.timeout / MILLISECONDS,
        proxy = { host = host, port = port },
        -- One way may lead to a responder where another fails.
        name = table.concat({ "", ways.timeout, host or "", port or "" }, " "),
    }
end

local function trouble(reason, seconds)
    local now = ngx.now()
    return { status = "trouble", reason = reason, since = now, holds_until = now + seconds }
end

local function recall(key, ttl)
    local text = ngx.shared[MEMORY]:get(key)
    local status, since, ends, reason = (text or ""):match("^(%l+) (%S+) (%S+) (.*)$")
    if not status then
        return nil
    end
    since, ends = tonumber(since), tonumber(ends)
    local now = ngx.now()
    if now < since or now - since >= ttl or now >= ends then
        return nil
    end
    return { status = status, reason = reason, since = since,
        holds_until = math.min(ends, since + ttl) }
end

local function remember(key, answer)
    local seconds = answer.holds_until - ngx.now()
    if seconds > 0 then
        local text = string.format("%s %.3f %.3f %s",
            answer.status, answer.since, answer.holds_until, answer.reason or "")
        ngx.shared[MEMORY]:set(key, text, seconds)
    end
end

local function ask(way, to, certificate, issuer, ttl)
    local since = ngx.now()
    local question = ocsp.question(certificate, issuer)
    local text, reason = http.post(to, KIND, question, way.timeout, way.proxy)
    local status, remaining
    if text then
        status, reason, remaining = ocsp.read(text, certificate, issuer)
    end
    if not status then
        return trouble(reason, TROUBLE_SECONDS)
    end
    local ends = since + math.min(ttl, math.max(remaining or ttl, TROUBLE_SECONDS))
    if status == "good" then
        ends = since + math.min(ttl, remaining or ttl)
    end
    return { status = status, since = since, holds_until = ends }
end

-- The same, but that the answer is remembered, and that others are not kept waiting by an error.
local function ask_for_all(way, key, lock, ...)
    local done, answer = pcall(ask, way, ...)
    if done then
        remember(answer.status == "trouble" and key .. way.name or key, answer)
    end
    ngx.shared[MEMORY]:delete(lock)
    return done and answer or error(answer, 0)
end

-- Returns what is known of a certificate, of which `ttl` seconds may have passed: `status` ("good",
-- "revoked", or "trouble" and its `reason`), when it was asked for (`since`), and `holds_until`.
-- Of several requests with one question one asks.
function _M.ask(way, certificate, issuer, ttl)
    local url = ocsp.responder(certificate, issuer)
    local to = url and http.split(url)
    if not to then
        -- That will not change.
        return trouble(url and "the responder cannot be asked" or "no responder is named", math.huge)
    end
    local key = x509.sha256(x509.encode(certificate) .. x509.encode(issuer))
    local lock = key .. " is asked for" .. way.name
    local deadline = ngx.now() + way.timeout
    while true do
        local known = recall(key, ttl) or recall(key .. way.name, TROUBLE_SECONDS)
        if known then
            return known
        end
        local first, reason = ngx.shared[MEMORY]:add(lock, true, way.timeout + 1)
        if first or reason ~= "exists" then
            return ask_for_all(way, key, lock, to, certificate, issuer, ttl)
        end
        if ngx.now() >= deadline then
            return trouble("timeout", TROUBLE_SECONDS)
        end
        ngx.sleep(GLANCE_SECONDS)
    end
end

return _M
