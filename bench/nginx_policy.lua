-- The relay's decisions for nginx, written for speed: everything but the first sight of a token is table look-ups.
local cjson = require "cjson.safe"
local jwt = require "nginx_jwt"
local lrucache = require "resty.lrucache"

local policy = {}
local remembered = assert(lrucache.new(100000))
local rates, counters = ngx.shared.rates, ngx.shared.counters
local key, issuer, operator, per_second

function policy.open(path, iss, aud, rate)
    local file = assert(io.open(path))
    key, issuer, operator, per_second = jwt.key(file:read("*a")), iss, aud, rate
    file:close()
end

local function refuse(status)
    ngx.status = status
    ngx.header.content_type = "application/json; charset=UTF-8"
    ngx.print('{"rsp_code":"', status, '01","rsp_msg":"refused"}')
    return ngx.exit(status)
end

local function known(token)
    local claims = remembered:get(token)
    if claims then return claims end
    claims = jwt.verified(token, key)
    if not claims or claims.iss ~= issuer or claims.aud ~= operator or type(claims.exp) ~= "number"
        or type(claims.scope) ~= "string" then return nil end
    local scopes = {}
    for word in claims.scope:gmatch("%S+") do scopes[word] = true end
    claims.scopes = scopes
    remembered:set(token, claims)
    return claims
end

function policy.access(api, scope, of_body)
    local var = ngx.var
    var.api = api
    if var.known_peer ~= "1" then return refuse(401) end
    local tran_id = var.http_x_api_tran_id
    if not tran_id or #tran_id ~= 25 then return refuse(400) end
    local org
    if of_body then
        ngx.req.read_body()
        local body = cjson.decode(ngx.req.get_body_data() or "")
        org = type(body) == "table" and body.org_code
    else
        org = var.arg_org_code
    end
    if type(org) ~= "string" or #org ~= 10 then return refuse(400) end
    var.org = org
    local authorization = var.http_authorization
    local token = authorization and authorization:sub(1, 7) == "Bearer " and authorization:sub(8)
    local claims = token and known(token)
    if not claims or claims.exp <= ngx.time() then return refuse(401) end
    if not claims.scopes[scope] or claims.org_code ~= org then return refuse(403) end
    local spent = rates:incr(operator .. "|" .. org .. "|" .. ngx.time(), 1, 0, 2)
    if spent and spent > per_second then return refuse(429) end
    var.provider = "provider_" .. org
end

function policy.count()
    local var = ngx.var
    counters:incr(var.api .. "|" .. var.org .. "|" .. var.status, 1, 0)
end

return policy
