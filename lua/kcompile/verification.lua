-- Verifies clients' certificates in memory, each against the authorities that a plugin names, and
-- remembers for a while what was verified. The handshake has verified nothing: a connection may serve
-- routes that trust different authorities.

local lrucache = require("resty.lrucache")
local encodings = require("kcompile.encodings")
local files = require("kcompile.files")
local responders = require("kcompile.responders")
local x509 = require("kcompile.x509")

-- How many certificates each worker remembers (2 KB each).
local REMEMBERED = 4096
local CERTIFICATES_IN_FILE, CRLS_IN_FILE = 100000, 1000
local CHECKS_REVOCATION = { SKIP = false, IGNORE_CA_ERROR = true, STRICT = true }
local REVOKED = { revoked = "certificate revoked", held = "certificate revoked for the time being" }

local _M = {}

local verified_before = lrucache.new(REMEMBERED)

local function read(folder, digest, label, limit, decode)
    local path = "tls/" .. folder .. "/" .. digest .. ".pem"
    local found = {}
    for _, der in ipairs(encodings.pem(files.read_pem(path), label, limit) or {}) do
        found[#found + 1] = decode(der)
            or error(path .. ": item " .. #found + 1 .. " cannot be read", 0)
    end
    return #found > 0 and found or error(path .. " has no " .. label, 0)
end

local function read_all(digests, ...)
    local folder, label, limit, decode = ...
    local all = {}
    for _, digest in ipairs(digests) do
        for _, one in ipairs(read(folder, digest, label, limit, decode)) do
            all[#all + 1] = one
        end
    end
    return all
end

-- Returns when revocation lists end: they say when the next ones come.
local function ends_of(crls)
    local ends = {}
    for _, crl in ipairs(crls) do
        local remaining = x509.remaining_crl(crl)
        if remaining then
            ends[#ends + 1] = ngx.time() + remaining
        end
    end
    return ends
end

-- Until when what is verified now holds, as far as lists tell. Those that have ended say nothing any
-- more.
local function first_end(ends)
    local now, first = ngx.now(), math.huge
    for _, time in ipairs(ends) do
        if time > now then
            first = math.min(first, time)
        end
    end
    return first
end

-- Reads what a trust of the data names; see access.lua. Errors name files.
function _M.load(id, trust)
    local checks = CHECKS_REVOCATION[trust.revocation_check_mode]
    if checks == nil or type(trust.allow_partial_chain) ~= "boolean" then
        error("trust " .. id .. " does not say how it verifies", 0)
    end
    if #trust.ca_certificates == 0 then
        error("trust " .. id .. " trusts nobody", 0)
    end
    local authorities = read_all(
        trust.ca_certificates, "ca", "CERTIFICATE", CERTIFICATES_IN_FILE, x509.decode)
    local crls = read_all(trust.crls, "crls", "X509 CRL", CRLS_IN_FILE, x509.decode_crl)
    return {
        store = x509.store(authorities, crls),
        partial_chain = trust.allow_partial_chain,
        responders = checks and responders.load(id, trust.responders) or nil,
        strict = trust.revocation_check_mode == "STRICT",
        has_crls = #crls > 0,
        list_ends = ends_of(crls),
    }
end

-- Returns OpenSSL's code for what lists say of a certificate, and its words. Whom a list names was
-- revoked, and stays so, even if the list has ended; only one that holds says that others were not.
local function look_at_list(trust, chain, index)
    local options = { untrusted = chain, partial_chain = trust.partial_chain, check_crl = true }
    local code, reason = x509.verify(trust.store, chain[index], options)
    if code ~= x509.VERIFIED and code ~= x509.REVOKED then
        options.any_time = true
        local then_code, then_reason = x509.verify(trust.store, chain[index], options)
        if then_code == x509.REVOKED then
            return then_code, then_reason
        end
    end
    return code, reason
end

-- Returns why one of a verified chain is refused by lists, or nil and the places of those that no list
-- speaks for. Whoever ends the chain is trusted by configuration, and is not asked for. OpenSSL is
-- asked about each alone: it stops at the first trouble, and a missing list must not hide a certificate
-- behind it that is revoked.
local function look_at_lists(trust, chain)
    local unknown = {}
    for index = 1, #chain - 1 do
        local code, reason
        if trust.has_crls then
            code, reason = look_at_list(trust, chain, index)
        end
        if code == x509.REVOKED then
            return reason
        end
        if code ~= x509.VERIFIED then
            unknown[#unknown + 1] = index
        end
    end
    return nil, unknown
end

-- Returns why one of a verified chain is refused, or nil and what responders said, as a list. Those
-- that lists speak for are asked about nowhere.
local function judge(trust, chain, ttl)
    local reason, unknown = look_at_lists(trust, chain)
    if reason then
        return reason
    end
    local answers = {}
    for place, index in ipairs(unknown) do
        local answer = responders.ask(trust.responders, chain[index], chain[index + 1], ttl)
        if REVOKED[answer.status] then
            return REVOKED[answer.status]
        end
        -- As with Kong, who is asked and answers has to prove it, whatever the mode.
        if answer.status ~= "good" and (trust.strict or answer.status ~= "trouble") then
            return "not known whether it was revoked: " .. answer.reason
        end
        answers[place] = answer
    end
    return nil, answers
end

-- The one common name; a subject with several could mean any of them.
local function only_common_name(certificate)
    local names = x509.common_names(certificate)
    return #names == 1 and names[1] or nil
end

local function describe(chain)
    local leaf = chain[1]
    local authorities = {}
    local remaining = x509.remaining(leaf)
    for index = 2, #chain do
        authorities[#authorities + 1] = x509.fingerprint(chain[index])
        remaining = math.min(remaining, x509.remaining(chain[index]))
    end
    return {
        subject = x509.subject(leaf),
        common_name = only_common_name(leaf),
        alternative_names = x509.alternative_names(leaf),
        authorities = authorities,
        identities = {},
        remaining = remaining,
    }
end

-- Returns what was verified under a key, for a purpose, within `ttl` seconds, while it still holds.
-- Keys of one purpose have one length.
function _M.recall(purpose, key, ttl)
    local found = verified_before:get(purpose .. key)
    local age = found and ngx.now() - found.since
    return age and age >= 0 and age < ttl and ngx.now() < found.holds_until and found or nil
end

-- Verifies a client's certificate (see client_certificate.lua) for a step of a rule, with the help of
-- untrusted intermediates. Returns a description of it: `subject`, `common_name` (if it has one alone),
-- `alternative_names` (if it has the extension), `authorities` (digests of the chain above it, its
-- issuer first), `identities` (an empty table, for what others find out about it); or nil and the
-- reason. It is remembered for the step's purpose, but no longer than what responders said holds.
function _M.verify(trust, client, step)
    local code, reason, chain = x509.verify(trust.store, client.certificate, {
        untrusted = client.intermediates(),
        partial_chain = trust.partial_chain,
        purpose = "ssl_client",
    })
    local answers = {}
    if code == x509.VERIFIED and trust.responders then
        reason, answers = judge(trust, chain, step.cert_cache_ttl)
    end
    if reason then
        return nil, reason .. ": " .. x509.subject(client.certificate)
    end
    local found = describe(chain)
    found.since = ngx.now()
    found.holds_until = math.min(found.since + found.remaining, first_end(trust.list_ends))
    for _, answer in ipairs(answers) do
        found.since = math.min(found.since, answer.since)
        found.holds_until = math.min(found.holds_until, answer.holds_until)
    end
    verified_before:set(step.purpose .. client.key, found)
    return found
end

return _M
