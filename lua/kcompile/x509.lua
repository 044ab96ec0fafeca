-- X.509 by OpenSSL's own library, the one that nginx has loaded: certificates, their names, and
-- whether a chain leads from one to a trusted authority.
--
-- luaossl is not used, because its store verifies without purpose, partial chains and revocation
-- lists, and leaks the untrusted certificates of each call. Structures stay opaque: only functions
-- that OpenSSL 1.1.1 and 3 both document are called. What OpenSSL owns is not freed here; all else is
-- freed by the collector or where it was made. Its queue of errors is emptied behind each use, since
-- nginx would take what is left there for errors of the connection.

local ffi = require("ffi")
local jit = require("jit")

-- The interpreter keeps what a function was given until it returns. A compiled trace need not, but
-- OpenSSL is given pointers to it.
jit.off(true, true)

-- Names of our own, since libraries may declare the same functions in other words.
ffi.cdef([[
struct x509_st *kcompile_d2i_x509(struct x509_st **into, const unsigned char **at, long size)
    __asm__("d2i_X509");
int kcompile_i2d_x509(const struct x509_st *from, unsigned char **at) __asm__("i2d_X509");
void kcompile_free_x509(struct x509_st *it) __asm__("X509_free");
int kcompile_up_x509(struct x509_st *it) __asm__("X509_up_ref");
int kcompile_digest_x509(const struct x509_st *of, const void *type, unsigned char *digest,
                         unsigned int *size) __asm__("X509_digest");
const void *kcompile_x509_sha256(void) __asm__("EVP_sha256");
int kcompile_x509_digest(const void *data, size_t count, unsigned char *digest, unsigned int *size,
                         const void *type, void *engine) __asm__("EVP_Digest");
const void *kcompile_not_after(const struct x509_st *of) __asm__("X509_get0_notAfter");
int kcompile_time_diff(int *days, int *seconds, const void *from, const void *to)
    __asm__("ASN1_TIME_diff");

struct X509_crl_st *kcompile_d2i_crl(struct X509_crl_st **into, const unsigned char **at, long size)
    __asm__("d2i_X509_CRL");
void kcompile_free_crl(struct X509_crl_st *it) __asm__("X509_CRL_free");
const void *kcompile_next_update(const struct X509_crl_st *of) __asm__("X509_CRL_get0_nextUpdate");

void *kcompile_subject(const struct x509_st *of) __asm__("X509_get_subject_name");
int kcompile_print_name(void *out, const void *name, int indent, unsigned long flags)
    __asm__("X509_NAME_print_ex");
int kcompile_count_entries(const void *name) __asm__("X509_NAME_entry_count");
void *kcompile_entry(const void *name, int index) __asm__("X509_NAME_get_entry");
void *kcompile_entry_object(const void *entry) __asm__("X509_NAME_ENTRY_get_object");
void *kcompile_entry_data(const void *entry) __asm__("X509_NAME_ENTRY_get_data");
int kcompile_nid(const void *object) __asm__("OBJ_obj2nid");
const char *kcompile_short_name(int nid) __asm__("OBJ_nid2sn");
int kcompile_object_text(char *into, int size, const void *object, int numbers)
    __asm__("OBJ_obj2txt");
int kcompile_to_utf8(unsigned char **out, const void *text) __asm__("ASN1_STRING_to_UTF8");
const unsigned char *kcompile_string_data(const void *text) __asm__("ASN1_STRING_get0_data");
int kcompile_string_length(const void *text) __asm__("ASN1_STRING_length");
void kcompile_crypto_free(void *it, const char *file, int line) __asm__("CRYPTO_free");

void *kcompile_extension(const struct x509_st *of, int nid, int *critical, int *index)
    __asm__("X509_get_ext_d2i");
void kcompile_free_names(void *names) __asm__("GENERAL_NAMES_free");
void *kcompile_name_value(const void *name, int *kind) __asm__("GENERAL_NAME_get0_value");
const char *kcompile_address(int family, const void *from, char *into, unsigned int size)
    __asm__("inet_ntop");

const void *kcompile_memory(void) __asm__("BIO_s_mem");
void *kcompile_new_bio(const void *kind) __asm__("BIO_new");
long kcompile_bio_control(void *bio, int command, long number, void *pointer) __asm__("BIO_ctrl");
int kcompile_free_bio(void *bio) __asm__("BIO_free");

void *kcompile_new_stack(void) __asm__("OPENSSL_sk_new_null");
int kcompile_push(void *stack, const void *it) __asm__("OPENSSL_sk_push");
int kcompile_count(const void *stack) __asm__("OPENSSL_sk_num");
void *kcompile_at(const void *stack, int index) __asm__("OPENSSL_sk_value");
void kcompile_free_stack(void *stack) __asm__("OPENSSL_sk_free");

struct x509_store_st *kcompile_new_store(void) __asm__("X509_STORE_new");
void kcompile_free_store(struct x509_store_st *it) __asm__("X509_STORE_free");
int kcompile_trust(struct x509_store_st *store, struct x509_st *it) __asm__("X509_STORE_add_cert");
int kcompile_add_crl(struct x509_store_st *store, struct X509_crl_st *it)
    __asm__("X509_STORE_add_crl");
struct x509_store_ctx_st *kcompile_new_context(void) __asm__("X509_STORE_CTX_new");
void kcompile_free_context(struct x509_store_ctx_st *it) __asm__("X509_STORE_CTX_free");
int kcompile_start(struct x509_store_ctx_st *context, struct x509_store_st *store,
                   struct x509_st *it, void *untrusted) __asm__("X509_STORE_CTX_init");
int kcompile_set_defaults(struct x509_store_ctx_st *context, const char *name)
    __asm__("X509_STORE_CTX_set_default");
void kcompile_set_flags(struct x509_store_ctx_st *context, unsigned long flags)
    __asm__("X509_STORE_CTX_set_flags");
int kcompile_set_store_flags(struct x509_store_st *store, unsigned long flags)
    __asm__("X509_STORE_set_flags");
void *kcompile_store_parameters(const struct x509_store_st *store)
    __asm__("X509_STORE_get0_param");
void *kcompile_parameters(struct x509_store_ctx_st *context) __asm__("X509_STORE_CTX_get0_param");
void kcompile_set_level(void *parameters, int level) __asm__("X509_VERIFY_PARAM_set_auth_level");
int kcompile_verify(struct x509_store_ctx_st *context) __asm__("X509_verify_cert");
int kcompile_error(const struct x509_store_ctx_st *context) __asm__("X509_STORE_CTX_get_error");
void *kcompile_chain(const struct x509_store_ctx_st *context) __asm__("X509_STORE_CTX_get0_chain");
const char *kcompile_error_text(long code) __asm__("X509_verify_cert_error_string");

void kcompile_clear_errors(void) __asm__("ERR_clear_error");
]])

local C = ffi.C
local DIGEST_BYTES = 32
local NID_COMMON_NAME, NID_ALTERNATIVE_NAMES = 13, 85
local NOT_PRESENT = -1
local EMAIL, DNS, DIRECTORY, URI, IP = 1, 2, 4, 6, 7
local TEXTS = { [EMAIL] = "email", [DNS] = "DNS", [URI] = "URI" }
-- linux's, and all BSDs' for the first; of IPv6 only linux's
local ADDRESS_FAMILIES = { [4] = 2, [16] = ffi.os == "Linux" and 10 or 30 }
-- XN_FLAG_RFC2253, which nginx prints $ssl_client_s_dn by
local RFC_2253 = 0x1110317
local BIO_INFO = 3
local CHECK_CRL, PARTIAL_CHAIN, ANY_TIME = 0x4, 0x80000, 0x200000
-- What TLS asks of certificates by default: no MD5, no SHA-1, no RSA below 1024 bits.
local SECURITY_LEVEL = 1

local _M = {
    -- X509_V_OK and X509_V_ERR_CERT_REVOKED
    VERIFIED = 0,
    REVOKED = 23,
}

local function hex(bytes)
    return (bytes:gsub(".", function(byte)
        return string.format("%02x", byte:byte())
    end))
end

local digest_of_text = ffi.new("unsigned char[?]", DIGEST_BYTES)

-- Returns the SHA-256 of a text, in bytes.
function _M.sha256(text)
    local sha256 = C.kcompile_x509_sha256()
    if C.kcompile_x509_digest(text, #text, digest_of_text, nil, sha256, nil) ~= 1 then
        error("SHA-256 cannot be computed", 0)
    end
    -- No tail call: it would not be compiled.
    local bytes = ffi.string(digest_of_text, DIGEST_BYTES)
    return bytes
end

-- Every request with a certificate in a header needs it, and OpenSSL keeps no pointer.
jit.on(_M.sha256)

local function owned(certificate)
    return ffi.gc(certificate, C.kcompile_free_x509)
end

-- Takes a certificate of which somebody else holds a reference.
local function shared(certificate)
    certificate = ffi.cast("struct x509_st *", certificate)
    C.kcompile_up_x509(certificate)
    return owned(certificate)
end

-- Takes a certificate whose reference was given to us, as a pointer.
function _M.adopt(certificate)
    return owned(ffi.cast("struct x509_st *", certificate))
end

-- Lists the certificates of a stack that OpenSSL owns.
function _M.list(stack)
    local certificates = {}
    for index = 0, C.kcompile_count(stack) - 1 do
        certificates[#certificates + 1] = shared(C.kcompile_at(stack, index))
    end
    return certificates
end

-- Returns the DER of a certificate.
function _M.encode(certificate)
    local size = C.kcompile_i2d_x509(certificate, nil)
    if size <= 0 then
        error("a certificate cannot be encoded", 0)
    end
    local bytes = ffi.new("unsigned char[?]", size)
    C.kcompile_i2d_x509(certificate, ffi.new("unsigned char *[1]", bytes))
    return ffi.string(bytes, size)
end

-- Reads an object that takes all of a DER: what is left behind it would be read by nobody.
local function decode(der, read, free)
    local text = ffi.cast("const unsigned char *", der)
    local at = ffi.new("const unsigned char *[1]", text)
    local found = read(nil, at, #der)
    C.kcompile_clear_errors()
    if found == nil then
        return nil
    end
    found = ffi.gc(found, free)
    return at[0] - text == #der and found or nil
end

-- Returns the certificate of a DER, or nil: neither anything behind it nor another encoding of the
-- same certificate is accepted.
function _M.decode(der)
    local found = decode(der, C.kcompile_d2i_x509, C.kcompile_free_x509)
    return found ~= nil and _M.encode(found) == der and found or nil
end

-- Returns the revocation list of a DER, or nil.
function _M.decode_crl(der)
    return decode(der, C.kcompile_d2i_crl, C.kcompile_free_crl)
end

-- Returns the SHA-256 of a certificate, in hexadecimal digits.
function _M.fingerprint(certificate)
    local digest = ffi.new("unsigned char[?]", DIGEST_BYTES)
    if C.kcompile_digest_x509(certificate, C.kcompile_x509_sha256(), digest, nil) ~= 1 then
        error("a certificate's SHA-256 cannot be computed", 0)
    end
    return hex(ffi.string(digest, DIGEST_BYTES))
end

-- Returns in how many seconds a time of OpenSSL's is; nil if there is none.
function _M.seconds_until(time)
    local days, seconds = ffi.new("int[1]"), ffi.new("int[1]")
    if time == nil or C.kcompile_time_diff(days, seconds, nil, time) ~= 1 then
        return nil
    end
    return days[0] * 86400 + seconds[0]
end

-- Returns in how many seconds a certificate ends.
function _M.remaining(certificate)
    return _M.seconds_until(C.kcompile_not_after(certificate)) or 0
end

-- Returns in how many seconds a revocation list ends; nil if it does not say.
function _M.remaining_crl(crl)
    return _M.seconds_until(C.kcompile_next_update(crl))
end

-- Returns the subject as nginx tells it in $ssl_client_s_dn: RFC 2253, printable ASCII only.
function _M.subject(certificate)
    local bio = C.kcompile_new_bio(C.kcompile_memory())
    if bio == nil then
        error("out of memory", 0)
    end
    local text
    if C.kcompile_print_name(bio, C.kcompile_subject(certificate), 0, RFC_2253) >= 0 then
        local at = ffi.new("char *[1]")
        local size = C.kcompile_bio_control(bio, BIO_INFO, 0, at)
        text = size > 0 and ffi.string(at[0], size) or ""
    end
    C.kcompile_free_bio(bio)
    C.kcompile_clear_errors()
    return text or error("a certificate's subject cannot be printed", 0)
end

-- Returns a string of a name as UTF-8, whatever its encoding; nil if it is broken.
local function utf8(text)
    local out = ffi.new("unsigned char *[1]")
    local size = C.kcompile_to_utf8(out, text)
    C.kcompile_clear_errors()
    if size < 0 then
        return nil
    end
    local found = ffi.string(out[0], size)
    C.kcompile_crypto_free(out[0], "", 0)
    return found
end

local function attribute_type(object)
    local nid = C.kcompile_nid(object)
    if nid ~= 0 then
        return ffi.string(C.kcompile_short_name(nid))
    end
    local text = ffi.new("char[256]")
    local size = C.kcompile_object_text(text, 256, object, 1)
    return size > 0 and size < 256 and ffi.string(text, size) or ""
end

-- Calls a function with the type's number, object and string of each attribute of a name.
local function each_attribute(name, call)
    for index = 0, C.kcompile_count_entries(name) - 1 do
        local entry = C.kcompile_entry(name, index)
        local object = C.kcompile_entry_object(entry)
        call(C.kcompile_nid(object), object, C.kcompile_entry_data(entry))
    end
end

-- Returns the common names of the subject, in order; false stands for one that is broken.
function _M.common_names(certificate)
    local found = {}
    each_attribute(C.kcompile_subject(certificate), function(nid, _, text)
        if nid == NID_COMMON_NAME then
            found[#found + 1] = utf8(text) or false
        end
    end)
    return found
end

local function add_directory(found, name)
    each_attribute(name, function(_, object, text)
        local value = utf8(text)
        if value then
            found[#found + 1] =
                { kind = "DirName", attribute = attribute_type(object), value = value }
        end
    end)
end

local function add_alternative(found, name)
    local kind = ffi.new("int[1]")
    local value = C.kcompile_name_value(name, kind)
    kind = kind[0]
    if kind == DIRECTORY then
        return add_directory(found, value)
    end
    if not TEXTS[kind] and kind ~= IP then
        return
    end
    local bytes, size = C.kcompile_string_data(value), C.kcompile_string_length(value)
    if kind ~= IP then
        found[#found + 1] = { kind = TEXTS[kind], value = ffi.string(bytes, size) }
    elseif ADDRESS_FAMILIES[size] then
        local text = ffi.new("char[64]")
        if C.kcompile_address(ADDRESS_FAMILIES[size], bytes, text, 64) ~= nil then
            found[#found + 1] = { kind = "IP", value = ffi.string(text) }
        end
    end
end

-- Returns the subject alternative names in order, each with its kind, value and, of a directory's
-- name, attribute; nil if there is no such extension. One that is broken is an error, as is a second.
function _M.alternative_names(certificate)
    local critical = ffi.new("int[1]")
    local names = C.kcompile_extension(certificate, NID_ALTERNATIVE_NAMES, critical, nil)
    C.kcompile_clear_errors()
    if names == nil then
        if critical[0] == NOT_PRESENT then
            return nil
        end
        error("subject alternative names cannot be read", 0)
    end
    names = ffi.gc(names, C.kcompile_free_names)
    local found = {}
    for index = 0, C.kcompile_count(names) - 1 do
        add_alternative(found, C.kcompile_at(names, index))
    end
    return found
end

-- Empties OpenSSL's queue of errors.
function _M.clear_errors()
    C.kcompile_clear_errors()
end

-- Returns what verifies: certificates that are trusted, and revocation lists. verify() is told
-- options; who verifies with the store by other means says them here: `partial_chain`.
function _M.store(certificates, crls, options)
    local store = ffi.gc(C.kcompile_new_store(), C.kcompile_free_store)
    if store == nil then
        error("out of memory", 0)
    end
    for _, certificate in ipairs(certificates) do
        if C.kcompile_trust(store, certificate) ~= 1 then
            error("a certificate cannot be trusted", 0)
        end
    end
    for _, crl in ipairs(crls) do
        if C.kcompile_add_crl(store, crl) ~= 1 then
            error("a revocation list cannot be used", 0)
        end
    end
    C.kcompile_set_level(C.kcompile_store_parameters(store), SECURITY_LEVEL)
    if options and options.partial_chain then
        C.kcompile_set_store_flags(store, PARTIAL_CHAIN)
    end
    C.kcompile_clear_errors()
    return store
end

-- Returns a stack, which holds certificates only as long as their list does.
function _M.stack(certificates)
    local made = ffi.gc(C.kcompile_new_stack(), C.kcompile_free_stack)
    for _, certificate in ipairs(certificates) do
        if made == nil or C.kcompile_push(made, certificate) == 0 then
            error("out of memory", 0)
        end
    end
    return made
end

-- Looks for a chain from a certificate to one that the store trusts. Options: `untrusted`
-- (certificates that may be part of it), `partial_chain` (authorities that others signed are trusted
-- too), `purpose` (of OpenSSL's presets), `check_crl` (of this certificate alone), `any_time` (what has
-- ended, or not begun, counts: lists, too).
-- Returns OpenSSL's code, its words, and the chain, from the certificate on, where it is VERIFIED.
function _M.verify(store, certificate, options)
    local untrusted = _M.stack(options.untrusted)
    local context = ffi.gc(C.kcompile_new_context(), C.kcompile_free_context)
    if context == nil or C.kcompile_start(context, store, certificate, untrusted) ~= 1 then
        error("a verification cannot be started", 0)
    end
    if options.purpose and C.kcompile_set_defaults(context, options.purpose) ~= 1 then
        error("OpenSSL does not know the purpose " .. options.purpose, 0)
    end
    if options.partial_chain then
        C.kcompile_set_flags(context, PARTIAL_CHAIN)
    end
    if options.check_crl then
        C.kcompile_set_flags(context, CHECK_CRL)
    end
    if options.any_time then
        C.kcompile_set_flags(context, ANY_TIME)
    end
    C.kcompile_set_level(C.kcompile_parameters(context), SECURITY_LEVEL)
    local verified = C.kcompile_verify(context) == 1
    local code = tonumber(C.kcompile_error(context))
    local chain = verified and _M.list(C.kcompile_chain(context))
    -- The context points to the stack without owning it: it must be gone first.
    C.kcompile_free_context(ffi.gc(context, nil))
    C.kcompile_free_stack(ffi.gc(untrusted, nil))
    C.kcompile_clear_errors()
    if verified and code == _M.VERIFIED then
        return code, nil, chain
    end
    -- A failure that tells no reason is none that may be taken for success.
    code = code ~= _M.VERIFIED and code or -1
    return code, ffi.string(C.kcompile_error_text(code))
end

return _M
