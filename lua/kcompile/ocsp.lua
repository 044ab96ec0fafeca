-- OCSP (RFC 6960) by OpenSSL: whom to ask about a certificate, what, and what an answer says.
--
-- ngx.ocsp's own reading of answers is not used: it verifies that an answer was signed, but not that
-- its signer may speak for the issuer, since it is made for stapling, where clients verify that. And it
-- does not tell until when an answer holds.

local ffi = require("ffi")
local jit = require("jit")
local ngx_ocsp = require("ngx.ocsp")
local x509 = require("kcompile.x509")

-- As in x509.lua: OpenSSL is given pointers that a compiled trace would not keep.
jit.off(true, true)

-- Names of our own, since libraries may declare the same functions in other words.
ffi.cdef([[
void *kcompile_d2i_answer(void **into, const unsigned char **at, long size)
    __asm__("d2i_OCSP_RESPONSE");
void kcompile_free_answer(void *it) __asm__("OCSP_RESPONSE_free");
int kcompile_answer_status(void *of) __asm__("OCSP_response_status");
void *kcompile_basic_answer(void *of) __asm__("OCSP_response_get1_basic");
void kcompile_free_basic_answer(void *it) __asm__("OCSP_BASICRESP_free");
int kcompile_verify_answer(void *it, void *certificates, void *store, unsigned long flags)
    __asm__("OCSP_basic_verify");
void *kcompile_certificate_id(const void *digest, const void *certificate, const void *issuer)
    __asm__("OCSP_cert_to_id");
void kcompile_free_certificate_id(void *it) __asm__("OCSP_CERTID_free");
int kcompile_find_status(void *answer, void *id, int *status, int *reason, void **revoked,
                         void **since, void **next) __asm__("OCSP_resp_find_status");
int kcompile_check_validity(void *since, void *next, long skew, long oldest)
    __asm__("OCSP_check_validity");
]])

local C = ffi.C
local REQUEST_BYTES, URL_BYTES = 1024, 1024
local SUCCESSFUL = 0
local GOOD, REVOKED = 0, 1
-- certificateHold (RFC 5280, 5.3.1), which may be taken back
local ON_HOLD = 6
-- How far clocks may be apart. An answer that does not say when the next one comes must not be older.
local SKEW = 300
local ANY_AGE = -1

local _M = {}

local function chain_of(certificate, issuer)
    return x509.encode(certificate) .. x509.encode(issuer)
end

-- Returns the address of who answers for a certificate; nil if it names none.
function _M.responder(certificate, issuer)
    local url, reason =
        ngx_ocsp.get_ocsp_responder_from_der_chain(chain_of(certificate, issuer), URL_BYTES)
    if reason then
        return nil
    end
    return url
end

-- Returns the question about a certificate.
function _M.question(certificate, issuer)
    local text, reason =
        ngx_ocsp.create_ocsp_request(chain_of(certificate, issuer), REQUEST_BYTES)
    return text or error("a question for a responder cannot be made: " .. reason, 0)
end

local function decode(text)
    local at = ffi.new("const unsigned char *[1]", ffi.cast("const unsigned char *", text))
    local answer = C.kcompile_d2i_answer(nil, at, #text)
    if answer == nil then
        return nil, "the answer cannot be read"
    end
    answer = ffi.gc(answer, C.kcompile_free_answer)
    local status = C.kcompile_answer_status(answer)
    if status ~= SUCCESSFUL then
        return nil, "the responder answers with its error " .. status
    end
    local basic = C.kcompile_basic_answer(answer)
    if basic == nil then
        return nil, "the answer is of an unknown kind"
    end
    return ffi.gc(basic, C.kcompile_free_basic_answer)
end

-- The issuer signs answers, or whom it has certified for that, and nobody else: the store trusts it
-- alone, and OpenSSL looks whether the signer's certificate is for OCSP.
local function signed_for(issuer, basic)
    local store = x509.store({ issuer }, {}, { partial_chain = true })
    return C.kcompile_verify_answer(basic, x509.stack({ issuer }), store, 0) == 1
end

local function holds_now(since, next_one, remaining)
    if next_one ~= nil and (remaining or 0) <= 0 then
        return false
    end
    local oldest = next_one ~= nil and ANY_AGE or SKEW
    return C.kcompile_check_validity(since, next_one, SKEW, oldest) == 1
end

local function status_of(certificate, issuer, basic)
    local id = C.kcompile_certificate_id(nil, certificate, issuer)
    if id == nil then
        return nil, "out of memory"
    end
    id = ffi.gc(id, C.kcompile_free_certificate_id)
    local status, why, times = ffi.new("int[1]"), ffi.new("int[1]"), ffi.new("void *[2]")
    if C.kcompile_find_status(basic, id, status, why, nil, times, times + 1) ~= 1 then
        return nil, "the answer is about other certificates"
    end
    local since, next_one = times[0], times[1]
    local remaining = next_one ~= nil and x509.seconds_until(next_one) or nil
    if status[0] == REVOKED and why[0] ~= ON_HOLD then
        -- Whatever its age: who was revoked stays so.
        return "revoked", nil, remaining
    end
    if status[0] ~= GOOD and status[0] ~= REVOKED then
        return nil, "the responder does not know the certificate"
    end
    if not holds_now(since, next_one, remaining) then
        return nil, "the answer does not hold now"
    end
    return status[0] == GOOD and "good" or "held", nil, remaining
end

local function read(text, certificate, issuer)
    local basic, reason = decode(text)
    if not basic then
        return nil, reason
    end
    if not signed_for(issuer, basic) then
        return nil, "the answer is not signed for the issuer"
    end
    return status_of(certificate, issuer, basic)
end

-- Returns what an answer says of a certificate, "good", "revoked" or "held" (revoked for the time being);
-- nothing; and for how many seconds more, nil if it does not say. Or nil and why it says none of these.
function _M.read(text, certificate, issuer)
    local status, reason, remaining = read(text, certificate, issuer)
    x509.clear_errors()
    return status, reason, remaining
end

return _M
