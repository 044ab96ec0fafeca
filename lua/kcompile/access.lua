-- Who may pass: authenticates clients by certificates, as Kong's plugins mtls-auth and
-- header-cert-auth do.
--
-- nginx.conf calls init() in init_by_lua, and run(ngx.var.access) in access_by_lua of a location that
-- is protected: in a block, since a file would be read by workers, who may not be allowed to. It says
-- `lua_shared_dict kcompile_intermediates` and, where responders are asked whether a certificate was
-- revoked, `lua_shared_dict kcompile_responders` and a `resolver`. It asks clients for certificates
-- without judging them, answers 596 with `401 No required TLS certificate was sent` and 595 (and 495,
-- if nginx itself asks for certificates) with `401 TLS certificate failed verification`, and has these
-- variables, each "" until run() sets it, to send them to upstreams in place of whatever headers the
-- client made up:
--
--     $consumer_id $consumer_username $consumer_custom_id $credential_identifier
--     $anonymous_consumer     true for the consumer of those who could not be authenticated
--     $client_cert_dn $client_cert_san  what was verified, when no consumer is looked for: the
--                             subject as in RFC 2253; names with commas between, \ before those inside
--     $authenticated_group    the group that the certificate tells, when no consumer is looked for
--     $access_granted         is read: with which location who is let in goes on, "" for this one
--     $from_trusted_peer      is read: 1 if the TCP connection is from one of trusted_ips
--     $misdirected            is read: "" if the TLS handshake was for the host that is asked for
--
-- The data is lua/data/access.json; all keys are always there, and null says that there is no value:
--
--     {"rules": {RULE: [STEP…]},      the plugins of a location, in the order in which they run
--      "trusts": {TRUST: {
--         "ca_certificates": [DIGEST…],  of files tls/ca/DIGEST.pem, of one or more certificates
--         "allow_partial_chain": false,
--         "revocation_check_mode": "SKIP" | "IGNORE_CA_ERROR" | "STRICT",
--         "crls": [DIGEST…],             of files tls/crls/DIGEST.pem
--         "responders": null | {         how those are asked (OCSP) whom certificates name, where no
--            "timeout": MILLISECONDS,    list speaks for one; null for SKIP alone
--            "proxy_host": null, "proxy_port": null}}},
--      "consumers": {ID: {"username", "custom_id"}…},
--      "mtls_auth_credentials": {ID: {
--         "subject_name", "consumer": ID,
--         "ca_certificate": SHA256}…},   of the DER of an authority, in hexadecimal; null: of any
--      "header_cert_auth_credentials":   likewise
--
--     STEP: {"plugin": "mtls-auth" | "header-cert-auth",
--      "trust": TRUST,
--      "by_host": false,                 whether a connection's certificate counts only for the host
--                                        that its handshake was for ($misdirected)
--      "skip_consumer_lookup": false,
--      "authenticated_group_by": "CN" | "DN" | null,
--      "consumer_by": ["username" | "custom_id"…],
--      "default_consumer": ID, "anonymous": ID,
--      "san_dirname_matcher": [TYPE…],   short names of attributes, or their numbers with dots
--      "cert_cache_ttl": SECONDS,        for how long a certificate is not verified again
--      and of header-cert-auth:
--      "certificate_header_name", "certificate_header_format": "base64_encoded" | "url_encoded",
--      "secure_source": true}
--
-- A header is passed on to the upstream as it came, since Kong does so.
--
-- Nobody passes by mistake: data that is wrong keeps nginx from starting, an unknown rule is answered
-- with 500, and any error about a certificate refuses it. The log names subjects and reasons alone.

local certificates = require("kcompile.client_certificate")
local consumers = require("kcompile.consumers")
local files = require("kcompile.files")
local verification = require("kcompile.verification")

local NOT_SENT, NOT_VERIFIED = 596, 595
local GROUPS = { CN = true, DN = true }

local _M = {}

local rules, trusts

-- Where each plugin finds certificates. Both return what verification.verify does.
local plugins = {}

-- Verifies what a client sent, unless that was done a short while ago.
local function verify(step, client)
    local found = verification.recall(step.purpose, client.key, step.cert_cache_ttl)
    local reason
    if not found then
        found, reason = verification.verify(trusts[step.trust], client, step)
    end
    if found then
        client.accepted()
    end
    return found, reason
end

plugins["mtls-auth"] = function(step)
    if step.by_host and ngx.var.misdirected ~= "" then
        return nil, certificates.ABSENT
    end
    local client, reason = certificates.from_connection()
    if not client then
        return nil, reason
    end
    return verify(step, client)
end

plugins["header-cert-auth"] = function(step)
    if step.secure_source and ngx.var.from_trusted_peer ~= "1" then
        return nil, certificates.ABSENT
    end
    local value, reason = certificates.header(step.certificate_header_name)
    if not value then
        return nil, reason
    end
    -- Before it is read: that takes longer than all else.
    local key = certificates.header_key(value)
    local found = verification.recall(step.purpose, key, step.cert_cache_ttl)
    if found then
        return found
    end
    local client
    client, reason = certificates.from_header(value, step.certificate_header_format, key)
    if not client then
        return nil, reason
    end
    return verify(step, client)
end

local function check(condition, rule, what)
    if not condition then
        error("rule " .. rule .. " does not say " .. what, 0)
    end
end

local function prepare(rule, step)
    check(plugins[step.plugin], rule, "which plugin")
    check(trusts[step.trust], rule, "whom to trust")
    check(type(step.by_host) == "boolean", rule, "for which host a certificate counts")
    check(type(step.skip_consumer_lookup) == "boolean", rule, "whether to look for consumers")
    check(type(step.cert_cache_ttl) == "number", rule, "how long a certificate is remembered")
    check(GROUPS[step.authenticated_group_by] or step.authenticated_group_by == ngx.null, rule,
        "which group")
    if step.plugin == "mtls-auth" then
        certificates.check_memory()
    else
        check(type(step.certificate_header_name) == "string", rule, "which header")
        check(certificates.knows_format(step.certificate_header_format), rule, "which format")
        check(type(step.secure_source) == "boolean", rule, "whether peers must be trusted")
    end
    consumers.check_step(step)
    -- What is remembered holds for whoever finds certificates in the same way and trusts the same.
    local way = step.plugin == "mtls-auth" and step.plugin or step.certificate_header_format
    step.purpose = table.concat({ way, step.trust, "" }, " ")
    step.attributes = {}
    for _, attribute in ipairs(step.san_dirname_matcher) do
        step.attributes[attribute] = true
    end
end

-- Reads the data, as the user that nginx is started by.
function _M.init()
    local data = files.read_data("access")
    consumers.load(data.consumers, {
        ["mtls-auth"] = data.mtls_auth_credentials,
        ["header-cert-auth"] = data.header_cert_auth_credentials,
    })
    trusts = {}
    for id, trust in pairs(data.trusts) do
        trusts[id] = verification.load(id, trust)
    end
    for rule, steps in pairs(data.rules) do
        check(#steps > 0, rule, "how to authenticate")
        for _, step in ipairs(steps) do
            prepare(rule, step)
        end
    end
    rules = data.rules
end

local function log(step, level, ...)
    ngx.log(level, "[", step.plugin, "] ", ...)
end

-- Names between commas; those inside are escaped, so that one name cannot pass for two.
local function join(names)
    local escaped = {}
    for index, name in ipairs(names) do
        escaped[index] = name:gsub("[\\,]", "\\%0")
    end
    return table.concat(escaped, ",")
end

local function trusted_itself(step, verified)
    local group
    if step.authenticated_group_by == "DN" then
        group = verified.subject
    elseif step.authenticated_group_by == "CN" then
        group = consumers.sound_common_name(verified)
    end
    local names = verified.alternative_names and consumers.names(verified, step.attributes) or {}
    return { dn = verified.subject, san = join(names), group = group }
end

-- Returns who a verified certificate stands for, or nil.
local function identify(step, verified)
    if step.skip_consumer_lookup then
        return trusted_itself(step, verified)
    end
    local consumer, credential = consumers.find(step, verified)
    return consumer and { consumer = consumer, credential = credential }
end

-- Returns who was authenticated, or nil, the status that says why not, and the reason.
local function authenticate(step)
    local verified, reason = plugins[step.plugin](step)
    if not verified then
        return nil, reason == certificates.ABSENT and NOT_SENT or NOT_VERIFIED, reason
    end
    -- The data is the same for as long as it is remembered.
    local who = verified.identities[step] or identify(step, verified)
    if not who then
        return nil, NOT_VERIFIED, "no consumer for " .. verified.subject
    end
    verified.identities[step] = who
    return who
end

-- The same, but that an error refuses.
local function authenticate_safely(step)
    local done, who, status, reason = pcall(authenticate, step)
    if not done then
        log(step, ngx.ERR, who)
        return nil, NOT_VERIFIED, "an error"
    end
    return who, status, reason
end

-- Runs the steps of a rule. Those with `anonymous` are ways to be authenticated of which one is
-- enough; each other one must succeed. Returns who was authenticated last, or nil and a status.
local function run_steps(steps)
    local who, anonymous
    for _, step in ipairs(steps) do
        if not (step.anonymous and who) then
            local found, status, reason = authenticate_safely(step)
            if found then
                who, anonymous = found, nil
            elseif not step.anonymous then
                log(step, ngx.NOTICE, reason)
                return nil, status
            else
                log(step, ngx.INFO, reason)
                anonymous = step.anonymous
            end
        end
    end
    return who or { consumer = consumers.get(anonymous), anonymous = "true" }
end

-- All variables, since an earlier location may have run another rule.
local function tell(who)
    local consumer = who.consumer or {}
    local var = ngx.var
    var.consumer_id = consumer.id or ""
    var.consumer_username = consumer.username or ""
    var.consumer_custom_id = consumer.custom_id or ""
    var.credential_identifier = who.credential or ""
    var.anonymous_consumer = who.anonymous or ""
    var.client_cert_dn = who.dn or ""
    var.client_cert_san = who.san or ""
    var.authenticated_group = who.group or ""
end

-- Lets a request pass that a rule allows, and ends all others.
function _M.run(rule)
    local steps = rules[rule]
    if steps == nil then
        ngx.log(ngx.ERR, "there is no rule ", rule)
        return ngx.exit(ngx.HTTP_INTERNAL_SERVER_ERROR)
    end
    local who, status = run_steps(steps)
    if who == nil then
        return ngx.exit(status)
    end
    tell(who)
    local behind = ngx.var.access_granted
    if behind and behind ~= "" then
        return ngx.exec(behind)
    end
end

return _M
