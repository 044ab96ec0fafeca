-- What responders said about certificates, in a memory that the workers share, and whose turn it is to
-- ask. A question is a table: the `key` of what is asked, and the `way` in which it is, which may lead
-- to a responder where another fails. An answer has a `status`, a `reason`, when it was asked for
-- (`since`), and `holds_until`.

local MEMORY = "kcompile_responders"
local FAILURES = { trouble = true, unproven = true }
-- For how long it is known of somebody who was revoked when asking again fails.
local REVOKED_SECONDS = 86400

local _M = {}

local turns = 0

-- Fails if nginx.conf has no memory for answers.
function _M.check_memory()
    if ngx.shared[MEMORY] == nil then
        error("there is no lua_shared_dict " .. MEMORY, 0)
    end
end

local function failure_key(question)
    return question.key .. " failed" .. question.way
end

local function revoked_key(question)
    return question.key .. " was revoked"
end

local function lock_key(question)
    return question.key .. " is asked for" .. question.way
end

-- Returns what was written under a key, but not what clocks that were set back make an answer of the
-- future.
local function read(key)
    local text = ngx.shared[MEMORY]:get(key)
    local status, since, ends, reason = (text or ""):match("^(%l+) (%S+) (%S+) (.*)$")
    if not status or tonumber(since) > ngx.now() then
        return nil
    end
    return { status = status, reason = reason, since = tonumber(since), holds_until = tonumber(ends) }
end

local function write(key, answer, seconds)
    -- All digits, so that times that are equal stay so.
    local text = string.format("%s %.17g %.17g %s",
        answer.status, answer.since, answer.holds_until, answer.reason or "")
    ngx.shared[MEMORY]:set(key, text, seconds)
end

-- Returns what is known: an answer that holds now, and was asked for within `ttl` seconds, or at any
-- time after somebody `came` who waits for it. Failures hold for their own time.
function _M.recall(question, ttl, came)
    local now = ngx.now()
    local said = read(question.key)
    if said and (said.since >= came or now < math.min(said.holds_until, said.since + ttl)) then
        said.holds_until = math.min(said.holds_until, said.since + ttl)
        return said
    end
    local failure = read(failure_key(question))
    if failure and (failure.since >= came or now < failure.holds_until) then
        return read(revoked_key(question)) or failure
    end
    return nil
end

-- Returns what was known before it ended, for those who come while another asks again; nil if there was
-- neither a failure nor a revocation.
function _M.recall_ended(question)
    return read(revoked_key(question)) or read(failure_key(question))
end

-- Remembers an answer while it holds, and `seconds` more: for those who wait, and of a failure for
-- recall_ended(). Returns what counts now: who asked later may have been answered earlier, and a failure
-- makes nobody good again.
function _M.remember(question, answer, seconds)
    local newer = read(question.key)
    if newer and newer.since > answer.since then
        return newer
    end
    seconds = math.max(answer.holds_until - ngx.now(), 0) + seconds
    if FAILURES[answer.status] then
        write(failure_key(question), answer, seconds)
        return read(revoked_key(question)) or answer
    end
    write(question.key, answer, seconds)
    ngx.shared[MEMORY]:delete(failure_key(question))
    if answer.status == "revoked" then
        write(revoked_key(question), answer, REVOKED_SECONDS)
    else
        ngx.shared[MEMORY]:delete(revoked_key(question))
    end
    return answer
end

-- Returns a token if it is one's turn to ask: if nobody asks, or nobody who began less than `seconds`
-- ago. Who is `late` has waited for long enough, and need not know whether the other still lives.
function _M.take_turn(question, seconds, late)
    turns = turns + 1
    local memory, lock = ngx.shared[MEMORY], lock_key(question)
    local token = ngx.worker.pid() .. " " .. turns
    if late then
        memory:set(lock, token, seconds)
        return token
    end
    local first, reason = memory:add(lock, token, seconds)
    return (first or reason ~= "exists") and token or nil
end

-- Lets others ask again, unless the turn was taken over.
function _M.end_turn(question, token)
    local memory, lock = ngx.shared[MEMORY], lock_key(question)
    if memory:get(lock) == token then
        memory:delete(lock)
    end
end

return _M
