-- Leases requests of rates and slots of institutions, all that a gateway asks for at once.
-- KEYS[1]: the gateways, a sorted set of their last calls. KEYS[2]: those of them that count with the store.
-- KEYS[3...]: the counts of rates, or the holders of slots.
-- ARGV[1...5]: this gateway, 'alone' or 'together', seconds after which a gateway is silent, and is forgotten,
--   gateways that shared before an outage: this server may have lost them, and they may still count by themselves.
-- ARGV[6...], six for each key:
--   'rate', or 'fair:' with 0 or 1 (scheduled), the operator's weight and the operator, all divided by ':'; then
--     rate per second, burst, wanted requests, debt (negative: requests that are returned),
--     1 once after a reload that lowered the burst: no more than the new burst stays counted
--   'slots', concurrency, slots in use, wanted slots, seconds after which a silent gateway keeps its part only, 0
-- Returns gateways, those of them that called lately, then three numbers for each key:
--   rate: permits, microseconds until the next one, level in thousandths
--   slots: slots, 0, slots that other gateways hold
local ACTIVE_S, COUNT_S, RESERVED, RESERVED_ON_DEMAND, TURN_S = 10, 1, 0.25, 0.5, 1 -- as in fair_share.py
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local name, mode, silent_s, forgotten_s = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZADD', KEYS[1], now, name)
if mode == 'together' then
  redis.call('ZADD', KEYS[2], now, name)
else
  redis.call('ZREM', KEYS[2], name)
end
for index = 1, 2 do
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[index], string.format('(%.17g', now), '+inf')) do
    redis.call('ZADD', KEYS[index], now, other) -- the clock was set back
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[index], '-inf', now - forgotten_s)
  redis.call('PEXPIRE', KEYS[index], math.ceil(forgotten_s * 1000))
end
local present = redis.call('ZCOUNT', KEYS[2], now - silent_s, '+inf')
local known = math.max(redis.call('ZCARD', KEYS[1]), present) -- an eviction may take the first key alone
local gateways = math.max(known, tonumber(ARGV[5]))
local share = math.max(1, present) / gateways

-- Returns the weights of the operators that called lately, added each second and when one comes back.
local function add_weights(key, account, seen, weight)
  local count = redis.call('HMGET', key, 'weights', 'counted_at')
  if math.abs(now - seen) <= ACTIVE_S and math.abs(now - tonumber(count[2] or 0)) < COUNT_S then
    return math.max(weight, tonumber(count[1]))
  end
  local fields, weights = redis.call('HGETALL', key), weight
  for index = 1, #fields, 2 do
    local at, other = string.match(fields[index + 1], '^[%d.]+ ([%d.]+) ([%d.]+)$')
    if at and fields[index] ~= account then
      if math.abs(now - tonumber(at)) <= ACTIVE_S then
        weights = weights + tonumber(other)
      else
        redis.call('HDEL', key, fields[index])
      end
    end
  end
  redis.call('HSET', key, 'weights', string.format('%.6f', weights), 'counted_at', string.format('%.6f', now))
  return weights
end

local function reserve(burst, part)
  return math.min(burst - 1, math.max(1, burst * part))
end

-- Returns how many requests an operator may have, of the level that is left, and how far the level must sink for one.
local function share_fairly(key, rate, burst, level, wanted, is_scheduled, operator, weight)
  local account = 'operator:' .. operator
  local stored, on_demand_at = unpack(redis.call('HMGET', key, account, 'on_demand_at'))
  local used, seen = string.match(stored or '', '^([%d.]+) ([%d.]+) [%d.]+$')
  used, seen = tonumber(used or 0), tonumber(seen or 0)
  local parts = add_weights(key, account, seen, weight) / weight
  local part = math.max(1, burst / parts)
  used = math.min(part, math.max(0, used - math.max(0, now - seen) * rate / parts))
  local for_on_demand = 0
  if not is_scheduled then
    redis.call('HSET', key, 'on_demand_at', string.format('%.6f', now))
  elseif math.abs(now - tonumber(on_demand_at or 0)) <= ACTIVE_S then
    for_on_demand = reserve(burst, RESERVED_ON_DEMAND)
  end
  local free, for_others = burst - level, reserve(burst, RESERVED)
  local below = free - math.min(burst - 1, for_on_demand)
  local own = parts > 1 and math.floor(part - used + 0.000001) or wanted
  local above = free - math.min(burst - 1, for_on_demand + for_others)
  local permits = math.max(0, math.min(wanted, math.floor(math.max(math.min(below, own), above) + 0.000001)))
  used = math.min(part, used + permits)
  redis.call('HSET', key, account, string.format('%.6f %.6f %.6f', used, now, weight))
  local below_s = math.max((1 - below) / rate, parts > 1 and (used + 1 - part) * parts / rate or 0)
  local above_s = (1 - above) / rate
  return permits, math.min(below_s, above_s) + permits / rate
end

local function lease_rate(key, full_rate, full_burst, wanted, debt, is_lowered, is_scheduled, operator, weight)
  local rate, burst = full_rate * share, math.max(1, full_burst * share)
  local count = redis.call('HMGET', key, 'level', 'at')
  local level, at = tonumber(count[1] or 0), tonumber(count[2] or now)
  level = math.max(0, level - math.max(0, now - at) * rate)
  level = math.min(level, is_lowered == 1 and full_burst or math.huge)
  level = math.max(0, math.min(level + debt, math.max(level, full_burst)))
  local permits, wait_s
  if operator then
    permits, wait_s = share_fairly(key, rate, burst, level, wanted, is_scheduled, operator, weight)
  else
    permits = math.max(0, math.min(wanted, math.floor(burst - level + 0.000001)))
    wait_s = (level + permits + 1 - burst) / rate
  end
  level = level + permits
  redis.call('HSET', key, 'level', string.format('%.6f', level), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil(level / rate * 1000) + (operator and ACTIVE_S or 1) * 1000)
  return permits, permits < wanted and math.ceil(math.max(0, wait_s) * 1000000) or 0, math.ceil(level * 1000)
end

-- Returns the most that `owner` may have, so that none has more than it wants and all together no more than `slots`.
-- Slots that do not divide go to other gateways with each turn.
local function divide(slots, wants, owner, turn)
  local names = {}
  for each in pairs(wants) do
    table.insert(names, each)
  end
  table.sort(names, function(one, other)
    if wants[one] == wants[other] then
      return one < other
    end
    return wants[one] < wants[other]
  end)
  for index, each in ipairs(names) do
    local left = #names - index + 1
    if wants[each] * left > slots then
      local rest, equal = { unpack(names, index) }, math.floor(slots / left)
      table.sort(rest)
      for place, other in ipairs(rest) do
        if other == owner then
          return equal + ((place + turn) % left < slots - equal * left and 1 or 0)
        end
      end
    end
    slots = slots - wants[each]
  end
  return math.huge
end

local function share_slots(key, concurrency, in_use, wanted, kept_s)
  local holders, others, wants = redis.call('HGETALL', key), 0, { [name] = wanted }
  for index = 1, #holders, 2 do
    local held, want, at = string.match(holders[index + 1], '^(%d+) (%d+) ([%d.]+)$')
    local age = now - tonumber(at)
    if age < 0 then -- the clock was set back
      redis.call('HSET', key, holders[index], held .. ' ' .. want .. ' ' .. string.format('%.6f', now))
    end
    if age > forgotten_s then
      redis.call('HDEL', key, holders[index])
    elseif holders[index] ~= name then
      held = tonumber(held)
      if age > kept_s then
        held = math.min(held, math.max(1, math.floor(concurrency / gateways)))
      else
        wants[holders[index]] = tonumber(want)
      end
      others = others + held
    end
  end
  local most = divide(concurrency, wants, name, math.floor(now / TURN_S))
  local slots = math.max(0, math.min(wanted, concurrency - others, most))
  local held = math.max(in_use, slots)
  if held > 0 or wanted > 0 then
    redis.call('HSET', key, name, held .. ' ' .. wanted .. ' ' .. string.format('%.6f', now))
    redis.call('PEXPIRE', key, math.ceil(forgotten_s * 1000))
  else
    redis.call('HDEL', key, name)
  end
  return slots, 0, others
end

local replies = { gateways, known }
for index = 3, #KEYS do
  local first, numbers = 6 * index - 12, {}
  for offset = 1, 5 do
    numbers[offset] = tonumber(ARGV[first + offset])
  end
  local scheduled, weight, operator = string.match(ARGV[first], '^fair:([01]):([%d.]+):(.*)$')
  local reply
  if ARGV[first] == 'slots' then
    reply = { share_slots(KEYS[index], unpack(numbers)) }
  else
    numbers[6], numbers[7], numbers[8] = scheduled == '1', operator, tonumber(weight)
    reply = { lease_rate(KEYS[index], unpack(numbers, 1, 8)) }
  end
  for _, value in ipairs(reply) do
    table.insert(replies, value)
  end
end
return replies
