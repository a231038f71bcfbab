-- RS256 by OpenSSL through LuaJIT's FFI: Debian packages no lua-resty-openssl, and four calls need none.
local ffi = require "ffi"
local cjson = require "cjson.safe"

ffi.cdef [[
typedef struct bio_st BIO; typedef struct evp_pkey_st EVP_PKEY; typedef struct evp_md_ctx_st EVP_MD_CTX;
BIO *BIO_new_mem_buf(const void *bytes, int len);
int BIO_free(BIO *bio);
EVP_PKEY *PEM_read_bio_PUBKEY(BIO *bio, void *into, void *ask, void *with);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
const void *EVP_sha256(void);
int EVP_DigestVerifyInit(EVP_MD_CTX *ctx, void *pctx, const void *md, void *engine, EVP_PKEY *key);
void ERR_clear_error(void);
int EVP_DigestVerify(EVP_MD_CTX *ctx, const char *sig, size_t sig_len, const char *data, size_t len);
]]
local crypto = ffi.load("libcrypto.so.3")
local jwt = {}

function jwt.key(pem)
    local bio = crypto.BIO_new_mem_buf(pem, #pem)
    local key = crypto.PEM_read_bio_PUBKEY(bio, nil, nil, nil)
    crypto.BIO_free(bio)
    return assert(key ~= nil and key, "no public key")
end

local function decoded(part)
    local text = part:gsub("-", "+"):gsub("_", "/")
    return ngx.decode_base64(text .. ("="):rep(-#text % 4))
end

-- Claims of a token whose signature holds; nil for any other.
function jwt.verified(token, key)
    local head, payload, sig = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
    if not head then return nil end
    local header = cjson.decode(decoded(head) or "")
    if type(header) ~= "table" or header.alg ~= "RS256" then return nil end
    local signed, bytes = head .. "." .. payload, decoded(sig)
    if not bytes then return nil end
    local ctx = crypto.EVP_MD_CTX_new()
    local good = crypto.EVP_DigestVerifyInit(ctx, nil, crypto.EVP_sha256(), nil, key) == 1
        and crypto.EVP_DigestVerify(ctx, bytes, #bytes, signed, #signed) == 1
    crypto.EVP_MD_CTX_free(ctx)
    crypto.ERR_clear_error()            -- nginx would find our bad signature in its own TLS calls
    if not good then return nil end
    local claims = cjson.decode(decoded(payload) or "")
    return type(claims) == "table" and claims or nil
end

return jwt
