-- Leases requests of rates and slots of institutions, all that a gateway asks for at once.
-- KEYS[1]: the gateways, a sorted set of their last calls. KEYS[2...]: the counts of rates, or the holders of slots.
-- ARGV[1...3]: this gateway, seconds after which a gateway is silent, and after which it is forgotten.
-- ARGV[4...], five for each key:
--   'rate', rate per second, burst, wanted requests, debt (negative: requests that are returned)
--   'slots', concurrency, slots in use, wanted slots, seconds after which a silent gateway keeps its part only
-- Returns gateways, those that are not silent, then three numbers for each key:
--   rate: permits, microseconds until the next one, level in thousandths
--   slots: slots, 0, slots that other gateways hold
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local name, silent_s, forgotten_s = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], now, name)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - forgotten_s)
redis.call('PEXPIRE', KEYS[1], math.ceil(forgotten_s * 1000))
local gateways = redis.call('ZCARD', KEYS[1])
local present = redis.call('ZCOUNT', KEYS[1], now - silent_s, '+inf')
local share = present / gateways

local function lease_rate(key, full_rate, full_burst, wanted, debt)
  local rate, burst = full_rate * share, math.max(1, full_burst * share)
  local count = redis.call('HMGET', key, 'level', 'at')
  local level, at = tonumber(count[1] or 0), tonumber(count[2] or now)
  level = math.max(0, math.max(0, level - math.max(0, now - at) * rate) + debt)
  local permits = math.max(0, math.min(wanted, math.floor(burst - level + 0.000001)))
  level = level + permits
  local wait_s = 0
  if permits < wanted then
    wait_s = (level + 1 - burst) / rate
  end
  redis.call('HSET', key, 'level', string.format('%.6f', level), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil(level / rate * 1000) + 1000)
  return permits, math.ceil(wait_s * 1000000), math.ceil(level * 1000)
end

-- Returns the most that each may have, so that none has more than it wants and all together no more than `slots`.
local function divide(slots, wants)
  table.sort(wants)
  for index, want in ipairs(wants) do
    local equal = slots / (#wants - index + 1)
    if want > equal then
      return math.ceil(equal)
    end
    slots = slots - want
  end
  return math.huge
end

local function share_slots(key, concurrency, in_use, wanted, kept_s)
  local holders, others, wants = redis.call('HGETALL', key), 0, { wanted }
  for index = 1, #holders, 2 do
    local held, want, at = string.match(holders[index + 1], '^(%d+) (%d+) ([%d.]+)$')
    local age = now - tonumber(at)
    if age > forgotten_s then
      redis.call('HDEL', key, holders[index])
    elseif holders[index] ~= name then
      held = tonumber(held)
      if age > kept_s then
        held = math.min(held, math.max(1, math.floor(concurrency / gateways)))
      else
        table.insert(wants, tonumber(want))
      end
      others = others + held
    end
  end
  local slots = math.max(0, math.min(wanted, concurrency - others, divide(concurrency, wants)))
  local held = math.max(in_use, slots)
  if held > 0 or wanted > 0 then
    redis.call('HSET', key, name, held .. ' ' .. wanted .. ' ' .. string.format('%.6f', now))
    redis.call('PEXPIRE', key, math.ceil(forgotten_s * 1000))
  else
    redis.call('HDEL', key, name)
  end
  return slots, 0, others
end

local kinds = { rate = lease_rate, slots = share_slots }
local replies = { gateways, present }
for index = 2, #KEYS do
  local first = 5 * index - 6
  local values = { KEYS[index] }
  for offset = 1, 4 do
    values[offset + 1] = tonumber(ARGV[first + offset])
  end
  for _, value in ipairs({ kinds[ARGV[first]](unpack(values)) }) do
    table.insert(replies, value)
  end
end
return replies
