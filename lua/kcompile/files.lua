-- Reads files of the tree that nginx runs on. Errors name the file, never what is in it.

local cjson = require("cjson.safe")
local ffi = require("ffi")

local DIGEST_BYTES = 32
local NAMED_BY_CONTENT = "/(" .. string.rep("%x", 2 * DIGEST_BYTES) .. ")%.pem$"

-- Names of our own, since libraries may declare the same functions in other words.
ffi.cdef([[
const void *kcompile_sha256(void) __asm__("EVP_sha256");
int kcompile_digest(const void *data, size_t count, unsigned char *digest, unsigned int *size,
                    const void *type, void *engine) __asm__("EVP_Digest");
]])

local _M = {}

local function sha256(text)
    local digest = ffi.new("unsigned char[?]", DIGEST_BYTES)
    if ffi.C.kcompile_digest(text, #text, digest, nil, ffi.C.kcompile_sha256(), nil) ~= 1 then
        error("SHA-256 cannot be computed", 0)
    end
    local hex = {}
    for index = 0, DIGEST_BYTES - 1 do
        hex[#hex + 1] = string.format("%02x", digest[index])
    end
    return table.concat(hex)
end

-- Returns the text of a file, whose path begins at the root of the tree.
function _M.read(path)
    local file, reason = io.open(ngx.config.prefix() .. path, "rb")
    if file == nil then
        error("cannot read " .. reason, 0)
    end
    local text
    text, reason = file:read("*a")
    file:close()
    if text == nil then
        error("cannot read " .. path .. ": " .. reason, 0)
    end
    return text
end

-- Returns the text of a file under tls/, once it is sure to be the one that was compiled: names say
-- the digest of the content, and the compiler has matched keys with certificates.
function _M.read_pem(path)
    local text = _M.read(path)
    if sha256(text) ~= path:match(NAMED_BY_CONTENT) then
        error(path .. " is not what was compiled: its SHA-256 is another than its name says", 0)
    end
    return text
end

-- Returns the tables that the compiler wrote for a module.
function _M.read_data(name)
    local path = "lua/data/" .. name .. ".json"
    local tables, reason = cjson.decode(_M.read(path))
    if tables == nil then
        error(path .. ": " .. reason, 0)
    end
    return tables
end

return _M
