-- Chooses the certificate of a TLS client by the server name that it sends, as Kong does: the name
-- itself, its first label as *, its last label as *, any name. Everybody else gets the certificates
-- that nginx.conf names.

local lrucache = require("resty.lrucache")
local ssl = require("ngx.ssl")
local files = require("kcompile.files")

-- How many certificates each worker keeps parsed (10 KB each): parsing takes longer than all else.
local PARSED = 4096
-- Lua's collector knows nothing of the memory that OpenSSL has for what is no longer kept.
local PARSED_BETWEEN_COLLECTIONS = 1024

local _M = {}

local exact, prefix, suffix, others
local parsed = lrucache.new(PARSED)
local parsed_since_collection = 0

-- Returns a reader of certificates with their keys; what several names share is read once.
local function reader()
    local read = {}
    return function(pair)
        local id = table.concat(pair, " ")
        if read[id] == nil then
            read[id] = { certificate = files.read_pem(pair[1]), key = files.read_pem(pair[2]) }
        end
        return read[id]
    end
end

-- Reads all certificates and keys, as the user that nginx is started by.
function _M.init()
    local tables = files.read_data("certificates")
    local read = reader()
    for _, names in pairs(tables) do
        for _, served in pairs(names) do
            for index, pair in ipairs(served) do
                served[index] = read(pair)
            end
        end
    end
    exact, prefix, suffix = tables.exact, tables.prefix, tables.suffix
    others = tables.others["*"]
end

local function find(sent)
    local name = sent:lower():match("^(.+)%.$") or sent:lower()
    local behind_first = name:match("^[^.]+(%.[^.]+%..+)$")
    local before_last = name:match("^(.+%.)[^.]+$")
    return exact[name]
        or behind_first and prefix["*" .. behind_first]
        or before_last and suffix[before_last .. "*"]
        or others
end

local function parse(pair)
    local found = parsed:get(pair)
    if found ~= nil then
        return found
    end
    local certificate, key, reason
    certificate, reason = ssl.parse_pem_cert(pair.certificate)
    if certificate == nil then
        return nil, reason
    end
    key, reason = ssl.parse_pem_priv_key(pair.key)
    if key == nil then
        return nil, reason
    end
    found = { certificate = certificate, key = key }
    parsed:set(pair, found)
    parsed_since_collection = parsed_since_collection + 1
    if parsed_since_collection == PARSED_BETWEEN_COLLECTIONS then
        parsed_since_collection = 0
        collectgarbage()
    end
    return found
end

local function use(served)
    local done, reason = ssl.clear_certs()
    for _, pair in ipairs(served) do
        local found
        found, reason = parse(pair)
        if not (done and found) then
            return nil, reason
        end
        done, reason = ssl.set_cert(found.certificate)
        if done then
            done, reason = ssl.set_priv_key(found.key)
        end
    end
    return done, reason
end

-- Answers a handshake. A certificate that was found and cannot be used ends it: no client gets
-- another one instead.
function _M.serve()
    local name, reason = ssl.server_name()
    local served = name ~= nil and name ~= "" and find(name)
    local done = reason == nil
    if done and served then
        done, reason = use(served)
    end
    if not done then
        ngx.log(ngx.ERR, "no certificate for ", name, ": ", reason)
        return ngx.exit(ngx.ERROR)
    end
end

return _M
