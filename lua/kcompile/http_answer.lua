-- Reads an answer of HTTP/1.1 as its pieces come. Whoever sends it chooses what they are: nothing is
-- looked at again with each piece but what may go on in the next, and no pattern tries a long text in
-- more than one way.

local CHUNK_LINE_BYTES = 64
local BROKEN_CHUNKS = "the answer's chunks cannot be read"

local _M = {}

local function fields(head)
    local found = {}
    for name, value in head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
        found[name:lower()] = value:lower()
    end
    return found
end

-- These read on at a place (`at`) of the text, and return the body if it is all there; nil if it is not
-- yet, and also why it never will be.

local function read_chunks(answer)
    local text = answer.text
    while true do
        local at = answer.at
        local line_end = text:find("\r\n", at, true)
        if (line_end or #text) - at > CHUNK_LINE_BYTES then
            return nil, BROKEN_CHUNKS
        end
        if not line_end then
            return nil
        end
        local digits = text:sub(at, line_end - 1):match("^%x+")
        if not digits then
            return nil, BROKEN_CHUNKS
        end
        local from, size = line_end + 2, tonumber(digits, 16)
        if size == 0 then
            return table.concat(answer.parts)
        end
        if #text < from + size + 1 then
            return nil
        end
        if text:sub(from + size, from + size + 1) ~= "\r\n" then
            return nil, BROKEN_CHUNKS
        end
        answer.parts[#answer.parts + 1] = text:sub(from, from + size - 1)
        answer.at = from + size + 2
    end
end

local function read_length(answer)
    local last = answer.at + answer.length - 1
    return #answer.text >= last and answer.text:sub(answer.at, last) or nil
end

local function read_rest(answer, ended)
    return ended and answer.text:sub(answer.at) or nil
end

local function read_head(answer, ended)
    local last = answer.text:find("\r\n\r\n", answer.at, true)
    if not last then
        answer.at = math.max(1, #answer.text - 2)
        return nil
    end
    local head = answer.text:sub(1, last + 1)
    local status = head:match("^HTTP/1%.%d (%d%d%d)%D")
    if status ~= "200" then
        return nil, "the answer is " .. (status or "not HTTP's")
    end
    local said = fields("\r\n" .. head)
    answer.at = last + 4
    answer.length = tonumber((said["content-length"] or ""):match("^%d+$"))
    answer.read = said["transfer-encoding"] and read_chunks or answer.length and read_length
        or read_rest
    return answer.read(answer, ended)
end

-- Returns an answer of which nothing has come.
function _M.new()
    return { text = "", at = 1, parts = {}, read = read_head }
end

-- Adds a piece to an answer, nil if it has ended. Returns its body if that is all there; nil if it is
-- not yet, and also why it never will be.
function _M.add(answer, piece)
    answer.text = answer.text .. (piece or "")
    local body, reason = answer.read(answer, piece == nil)
    if piece == nil and not body and not reason then
        return nil, "the answer was cut short"
    end
    return body, reason
end

return _M
