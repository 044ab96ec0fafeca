-- Finds the consumer that a verified certificate stands for, in Kong's order.

local _M = {}

local FIELDS = { username = true, custom_id = true }

local consumers, by_field, credentials

-- Control characters and NUL are in no name that is meant to be compared, or shown in a header.
local function is_sound(value)
    return value ~= "" and not value:find("[%z\1-\31\127]")
end

local function check_text(value, what)
    if type(value) ~= "string" or not is_sound(value) then
        error(what .. " is missing, or has control characters", 0)
    end
end

local function add_once(index, key, value, what)
    check_text(key, what)
    if index[key] ~= nil then
        error(what .. " is told twice", 0)
    end
    index[key] = value
end

local function given(value)
    return value ~= nil and value ~= ngx.null
end

local function index_consumers(listed)
    consumers, by_field = {}, { username = {}, custom_id = {} }
    for id, consumer in pairs(listed) do
        consumer.id = id
        consumers[id] = consumer
        for field in pairs(FIELDS) do
            if given(consumer[field]) then
                local what = field .. " of consumer " .. consumer.id
                add_once(by_field[field], consumer[field], consumer, what)
            else
                consumer[field] = nil
            end
        end
    end
end

-- A digest of an authority, a space and a name; without authority, only the space and the name.
local function credential_key(authority, name)
    return (authority or "") .. " " .. name
end

local function index_credentials(listed)
    local index = {}
    for id, credential in pairs(listed) do
        local authority = given(credential.ca_certificate) and credential.ca_certificate or nil
        check_text(credential.subject_name, "the subject name of credential " .. id)
        _M.check(credential.consumer)
        add_once(index, credential_key(authority, credential.subject_name),
            { id = id, consumer = consumers[credential.consumer] },
            "the subject name of credential " .. id)
    end
    return index
end

-- Takes consumers, and credentials by plugin, from the data; see access.lua.
function _M.load(listed, credentials_of)
    index_consumers(listed)
    credentials = {}
    for plugin, list in pairs(credentials_of) do
        credentials[plugin] = index_credentials(list)
    end
end

-- Returns the consumer of an id.
function _M.get(id)
    return consumers[id]
end

-- Fails if there is no consumer of an id.
function _M.check(id)
    if consumers[id] == nil then
        error("there is no consumer " .. tostring(id), 0)
    end
end

-- Fails if a step names what there is not.
function _M.check_step(step)
    for _, field in ipairs(step.consumer_by) do
        if not FIELDS[field] then
            error("consumers have no " .. tostring(field), 0)
        end
    end
    if credentials[step.plugin] == nil then
        error("there are no credentials for " .. step.plugin, 0)
    end
    for _, field in ipairs({ "default_consumer", "anonymous" }) do
        if given(step[field]) then
            _M.check(step[field])
        else
            step[field] = nil
        end
    end
end

-- Returns the one common name of a certificate, if it is fit to be compared.
function _M.sound_common_name(verified)
    local name = verified.common_name
    return name and is_sound(name) and name or nil
end

-- Returns the names of a certificate that count, in its order: its alternative names, or else, only
-- if there is no such extension, its common name. `attributes` says which of directory names do.
function _M.names(verified, attributes)
    if verified.alternative_names == nil then
        return { _M.sound_common_name(verified) }
    end
    local names = {}
    for _, name in ipairs(verified.alternative_names) do
        local counts = name.kind ~= "DirName" or attributes[name.attribute]
        if counts and is_sound(name.value) then
            names[#names + 1] = name.value
        end
    end
    return names
end

local function find_credential(index, names, authorities)
    for _, name in ipairs(names) do
        for _, authority in ipairs(authorities) do
            local found = index[credential_key(authority, name)]
            if found then
                return found
            end
        end
    end
    for _, name in ipairs(names) do
        local found = index[credential_key(nil, name)]
        if found then
            return found
        end
    end
    return nil
end

local function find_by_fields(fields, names)
    for _, name in ipairs(names) do
        for _, field in ipairs(fields) do
            local found = by_field[field][name]
            if found then
                return found
            end
        end
    end
    return nil
end

-- Returns the consumer of a verified certificate, and the id of the credential that told it, if one
-- did: a credential for a name and an authority of the chain, one for a name alone, a consumer's own
-- field, the default.
function _M.find(step, verified)
    local names = _M.names(verified, step.attributes)
    local credential = find_credential(credentials[step.plugin], names, verified.authorities)
    if credential then
        return credential.consumer, credential.id
    end
    return find_by_fields(step.consumer_by, names)
        or step.default_consumer and consumers[step.default_consumer]
        or nil
end

return _M
