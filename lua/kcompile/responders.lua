-- Asks the responders that certificates name whether they were revoked: one of many requests with the
-- same question does. Only for certificates that were verified: trusted authorities alone choose
-- addresses.

local answers = require("kcompile.answers")
local ocsp = require("kcompile.ocsp")
local http = require("kcompile.post")
local x509 = require("kcompile.x509")

local KIND = "application/ocsp-request"
-- For how long nobody asks again who gave no answer, or one that proves nothing: else each request
-- waited for it.
local TROUBLE_SECONDS = 5
-- How long requests wait for the answer to the same question before they look again: at first, and at
-- most.
local SHORTEST_GLANCE, LONGEST_GLANCE = 0.02, 0.5
-- A responder's name is looked up first, for as long as nginx.conf says (`resolver_timeout`): no socket
-- bounds that.
local LOOKUP_SECONDS = 10
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
    answers.check_memory()
    return {
        timeout = ways.timeout / MILLISECONDS,
        -- For how long at most whoever asks is at it.
        longest = ways.timeout / MILLISECONDS + LOOKUP_SECONDS + 1,
        proxy = { host = host, port = port },
        -- One way may lead to a responder where another fails.
        name = table.concat({ "", ways.timeout, host or "", port or "" }, " "),
    }
end

local function failure(status, reason, since)
    local ends = ngx.now() + TROUBLE_SECONDS
    return { status = status, reason = reason, since = since, holds_until = ends }
end

-- Returns an answer that came whole, or nil and why there is none.
local function fetch(way, to, question)
    local text, reason = http.post(to, KIND, question, way.timeout, way.proxy)
    if text == "" then
        return nil, "the answer is empty"
    end
    return text, reason
end

local function ask(way, to, certificate, issuer, ttl)
    local since = ngx.now()
    local text, reason = fetch(way, to, ocsp.question(certificate, issuer))
    if not text then
        return failure("trouble", reason, since)
    end
    local status, remaining
    status, reason, remaining = ocsp.read(text, certificate, issuer)
    if not status then
        return failure("unproven", reason, since)
    end
    remaining = remaining or ttl
    if status == "revoked" then
        -- It counts even if it has ended.
        remaining = math.max(remaining, TROUBLE_SECONDS)
    end
    return { status = status, since = since, holds_until = since + math.min(ttl, remaining) }
end

-- Who is let in although nobody could be asked is let in silently: this is said once for all who are.
local function warn(answer, to, certificate)
    ngx.log(ngx.WARN, "the responder ", to.authority, " does not tell whether a certificate was revoked: ",
        answer.reason, ": ", x509.subject(certificate))
end

-- Asks when it is one's turn, so that the answer is remembered, and that others are not kept waiting by an
-- error.
local function ask_for_all(question, token, way, to, certificate, ...)
    local done, answer = pcall(ask, way, to, certificate, ...)
    local known = done and answers.remember(question, answer, way.longest)
    answers.end_turn(question, token)
    if not done then
        error(answer, 0)
    end
    if answer.reason then
        warn(answer, to, certificate)
    end
    return known
end

-- Returns what is known of a certificate, of which `ttl` seconds may have passed: `status`, when it was
-- asked for (`since`), and `holds_until`. The status is "good", "revoked" or "held" (for the time
-- being); or, with a `reason`, "unproven" if an answer came that proves none of these, and "trouble" if
-- none came.
--
-- Of several requests with one question one asks. The others take what failed before, or who was
-- revoked, at once: whoever does not answer would keep them all waiting. Else they wait, and take its
-- answer if it was asked for after they came, however short the ttl is; who has waited for as long as
-- an answer may take asks, too.
function _M.ask(way, certificate, issuer, ttl)
    local url = ocsp.responder(certificate, issuer)
    local to = url and http.split(url)
    if not to then
        -- That will not change.
        local reason = url and "the responder cannot be asked" or "no responder is named"
        return { status = "trouble", reason = reason, since = ngx.now(), holds_until = math.huge }
    end
    local key = x509.sha256(x509.encode(certificate) .. x509.encode(issuer))
    local question = { key = key, way = way.name }
    local came, waited, glance = ngx.now(), 0, SHORTEST_GLANCE
    while true do
        local known = answers.recall(question, ttl, came)
        if known then
            return known
        end
        local token = answers.take_turn(question, way.longest, waited >= way.timeout)
        if token then
            return ask_for_all(question, token, way, to, certificate, issuer, ttl)
        end
        known = answers.recall_ended(question)
        if known then
            return known
        end
        glance = math.min(glance, way.timeout - waited)
        ngx.sleep(glance)
        waited = waited + glance
        glance = math.min(2 * glance, LONGEST_GLANCE)
    end
end

return _M
