-- Verifies clients' certificates in memory, each against the authorities that a plugin names, and
-- remembers for a while what was verified. The handshake has verified nothing: a connection may serve
-- routes that trust different authorities.

local lrucache = require("resty.lrucache")
local encodings = require("kcompile.encodings")
local files = require("kcompile.files")
local x509 = require("kcompile.x509")

-- How many certificates each worker remembers (2 KB each).
local REMEMBERED = 4096
local CERTIFICATES_IN_FILE, CRLS_IN_FILE = 100000, 1000
local CHECKS_REVOCATION = { SKIP = false, IGNORE_CA_ERROR = true, STRICT = true }

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

-- Until when what was verified with revocation lists holds: they say when the next ones come. Lists
-- that have ended say nothing any more.
local function lists_end(crls)
    local first = math.huge
    for _, crl in ipairs(crls) do
        local remaining = x509.remaining_crl(crl)
        if remaining and remaining > 0 then
            first = math.min(first, ngx.time() + remaining)
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
        checks_revocation = checks,
        strict = trust.revocation_check_mode == "STRICT",
        has_crls = #crls > 0,
        lists_end = lists_end(crls),
    }
end

-- Says whether one of a verified chain is revoked, or, if lists are required, not known not to be.
-- Whoever ends the chain is trusted by configuration, and needs no list. OpenSSL is asked about each
-- alone: it stops at the first trouble, and a missing list must not hide a certificate behind it
-- that is revoked.
local function refused_by_lists(trust, chain)
    if not trust.strict and not trust.has_crls then
        return nil
    end
    for index = 1, #chain - 1 do
        local code, reason = x509.verify(trust.store, chain[index], {
            untrusted = chain,
            partial_chain = trust.partial_chain,
            check_crl = true,
        })
        if code ~= x509.VERIFIED and (trust.strict or code == x509.REVOKED) then
            return reason
        end
    end
    return nil
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

-- Verifies a certificate with the help of untrusted intermediates. Returns a description of it:
-- `subject`, `common_name` (if it has one alone), `alternative_names` (if it has the extension),
-- `authorities` (digests of the chain above it, its issuer first), `identities` (an empty table, for
-- what others find out about it); or nil and the reason. It is remembered under the key, for the
-- purpose.
function _M.verify(trust, certificate, intermediates, purpose, key)
    local code, reason, chain = x509.verify(trust.store, certificate, {
        untrusted = intermediates,
        partial_chain = trust.partial_chain,
        purpose = "ssl_client",
    })
    if code == x509.VERIFIED then
        reason = trust.checks_revocation and refused_by_lists(trust, chain) or nil
    end
    if reason then
        return nil, reason .. ": " .. x509.subject(certificate)
    end
    local found = describe(chain)
    found.since = ngx.now()
    found.holds_until = math.min(found.since + found.remaining, trust.lists_end)
    verified_before:set(purpose .. key, found)
    return found
end

return _M
