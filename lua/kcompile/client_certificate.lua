-- Finds the certificate of a client: in its connection, or in a header of a proxy that has verified
-- that the client holds the key. Returns nil and whether there is none (`ABSENT`), or what is wrong.

local ffi = require("ffi")
local base = require("resty.core.base")
local encodings = require("kcompile.encodings")
local x509 = require("kcompile.x509")

ffi.cdef([[
struct ssl_st *kcompile_connection(void *request, const char **reason)
    __asm__("ngx_http_lua_ffi_get_req_ssl_pointer");
void *kcompile_peer(const struct ssl_st *connection) __asm__("SSL_get1_peer_certificate");
void *kcompile_peer_before_3(const struct ssl_st *connection) __asm__("SSL_get_peer_certificate");
void *kcompile_peer_chain(const struct ssl_st *connection) __asm__("SSL_get_peer_cert_chain");
]])

local C = ffi.C
-- A leaf and what may lead from it to a root; OpenSSL itself accepts 100 KB of a connection.
local CERTIFICATES = 10
local DER_BYTES = 65536
local HEADER_BYTES = 3 * DER_BYTES
-- Intermediates of clients, by the digest of their own certificate.
local INTERMEDIATES = "kcompile_intermediates"

local _M = { ABSENT = "no certificate was sent" }

-- Fails if nginx.conf has no memory for intermediates.
function _M.check_memory()
    if ngx.shared[INTERMEDIATES] == nil then
        error("there is no lua_shared_dict " .. INTERMEDIATES, 0)
    end
end

local get_peer
if pcall(function() return C.kcompile_peer end) then
    get_peer = function(connection) return C.kcompile_peer(connection) end
else
    get_peer = function(connection) return C.kcompile_peer_before_3(connection) end
end

-- Returns the intermediates that a connection's client sent, `limit` at most. There are none in a
-- session that was resumed.
local function sent_intermediates(connection, limit)
    local stack = C.kcompile_peer_chain(connection)
    local certificates = stack ~= nil and x509.list(stack) or {}
    return #certificates <= limit and certificates or nil
end

local function encode_all(certificates)
    local ders = {}
    for _, certificate in ipairs(certificates) do
        ders[#ders + 1] = ngx.encode_base64(x509.encode(certificate))
    end
    return table.concat(ders, " ")
end

local function decode_all(text)
    local certificates = {}
    for word in text:gmatch("%S+") do
        certificates[#certificates + 1] = x509.decode(ngx.decode_base64(word))
    end
    return certificates
end

-- Returns the certificate of this request's connection: a table with its `certificate`, a `key` to
-- remember it by, and functions: `intermediates`, which may be asked for its untrusted helpers, and
-- `accepted`, to be called once it was verified with them.
--
-- TLS remembers of a session the client's certificate but not its intermediates. They are kept here
-- for the day when it is resumed, and only of certificates that were verified, so that nobody else can
-- fill the memory. They may come from anybody: they are trusted no more than those of a handshake.
function _M.from_connection()
    local reason = ffi.new("const char *[1]")
    local connection = C.kcompile_connection(base.get_request(), reason)
    local peer = connection ~= nil and get_peer(connection) or nil
    if peer == nil then
        return nil, _M.ABSENT
    end
    local certificate = x509.adopt(peer)
    local key = x509.fingerprint(certificate)
    local remembered = ngx.shared[INTERMEDIATES]
    local sent = sent_intermediates(connection, CERTIFICATES)
    if sent == nil then
        return nil, "too many certificates were sent"
    end
    return {
        certificate = certificate,
        key = key,
        intermediates = function()
            local text = #sent == 0 and remembered and remembered:get(key)
            return text and decode_all(text) or sent
        end,
        accepted = function()
            if #sent > 0 and remembered:get(key) == nil then
                local text = encode_all(sent)
                if #text <= DER_BYTES then
                    remembered:set(key, text)
                end
            end
        end,
    }
end

-- Returns what upstreams are told of the certificate of this request's connection: PEM of it and of
-- its intermediates, escaped as in URLs; "" without one. Of a session that was resumed that are those
-- which were verified once, and of too many certificates the client's own.
function _M.escaped_chain()
    local client = _M.from_connection()
    if not client then
        return ngx.var.ssl_client_escaped_cert or ""
    end
    local pems = { encodings.to_pem(x509.encode(client.certificate), "CERTIFICATE") }
    for _, certificate in ipairs(client.intermediates()) do
        pems[#pems + 1] = encodings.to_pem(x509.encode(certificate), "CERTIFICATE")
    end
    return ngx.escape_uri(table.concat(pems))
end

local function from_ders(ders, key)
    if ders == nil then
        return nil, "the header cannot be decoded"
    end
    local certificates = {}
    for index, der in ipairs(ders) do
        local certificate = #der <= DER_BYTES and x509.decode(der)
        if not certificate then
            return nil, "certificate " .. index .. " of the header cannot be read"
        end
        certificates[index] = certificate
    end
    local leaf = table.remove(certificates, 1)
    return {
        certificate = leaf,
        key = key,
        intermediates = function() return certificates end,
        accepted = function() end,
    }
end

local decoders = {
    base64_encoded = function(value)
        local der = encodings.base64(value)
        return der and { der }
    end,
    url_encoded = function(value)
        local text = encodings.percent(value)
        return text and encodings.pem(text, "CERTIFICATE", CERTIFICATES)
    end,
}

-- Returns the value of a header of which there is but one; nil and what is wrong otherwise.
function _M.header(name)
    -- Without a limit of its own: nginx bounds their size, and a second one must not be overlooked.
    local value = ngx.req.get_headers(0)[name:lower()]
    if value == nil or value == "" then
        return nil, _M.ABSENT
    end
    if type(value) ~= "string" then
        return nil, "there are several headers"
    end
    if #value > HEADER_BYTES then
        return nil, "the header is too long"
    end
    return value
end

-- Says whether there are certificates of a format in headers.
function _M.knows_format(format)
    return decoders[format] ~= nil
end

-- Returns the key by which a header's certificate is remembered.
_M.header_key = x509.sha256

-- Reads a header's certificate: a table as of a connection's.
function _M.from_header(value, format, key)
    return from_ders(decoders[format](value), key)
end

return _M
