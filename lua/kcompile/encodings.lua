-- Strict readers of the encodings that certificates come in: whatever could be read in two ways is
-- read in none, and gives nil. One is written, too.

local LINE = ("."):rep(64)

local _M = {}

-- Decodes base64 in its one canonical form: with padding, without anything between or behind.
function _M.base64(text)
    local decoded = text ~= "" and ngx.decode_base64(text) or nil
    return decoded and ngx.encode_base64(decoded) == text and decoded or nil
end

-- Decodes percent signs; + is itself, since some leave it unencoded in base64.
function _M.percent(text)
    if text:find("%%[^%x]") or text:find("%%%x[^%x]") or text:find("%%%x?$") then
        return nil
    end
    return ngx.unescape_uri((text:gsub("+", "%%2B")))
end

-- Splits a text into the DERs of its PEM blocks, which all have one label; white space alone may
-- stand outside of them. At most `limit` blocks are accepted, and at least one.
function _M.pem(text, label, limit)
    local first, last = "-----BEGIN " .. label .. "-----", "-----END " .. label .. "-----"
    local ders, at = {}, text:match("^%s*()")
    while at <= #text do
        if #ders == limit or text:sub(at, at + #first - 1) ~= first then
            return nil
        end
        local from = at + #first
        local to, behind = text:find(last, from, true)
        local der = to and _M.base64((text:sub(from, to - 1):gsub("%s", "")))
        if not der then
            return nil
        end
        ders[#ders + 1] = der
        at = text:match("^%s*()", behind + 1)
    end
    return #ders > 0 and ders or nil
end

-- Returns the PEM block of a DER.
function _M.to_pem(der, label)
    local lines = ngx.encode_base64(der):gsub(LINE, "%0\n"):gsub("\n$", "")
    return "-----BEGIN " .. label .. "-----\n" .. lines .. "\n-----END " .. label .. "-----\n"
end

return _M
