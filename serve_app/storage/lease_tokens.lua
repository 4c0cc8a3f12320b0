-- TokenWindow.lease of core/token_window.py, told equal by their contract. KEYS: the window, a hash
-- of counts by slot. ARGV: count, seconds, least, due, ahead, settled slot or nothing, spent, unspent,
-- idle, time or nothing.
local limit, seconds = tonumber(ARGV[1]), tonumber(ARGV[2])
local least, due, ahead = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local settled, spent, unspent = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local now = tonumber(ARGV[10])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local width = seconds / 100
local current = math.floor(now / width)
local first = current - 100

local counts = {}
local function name(slot) return string.format('%.0f', slot) end
local function put(slot, count)
  if count > 0 then
    counts[slot] = count
    redis.call('HSET', KEYS[1], name(slot), count)
  else
    counts[slot] = nil
    redis.call('HDEL', KEYS[1], name(slot))
  end
end

local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local slot = tonumber(fields[i])
  if slot < first then
    redis.call('HDEL', KEYS[1], fields[i])
  else
    counts[slot] = tonumber(fields[i + 1])
  end
end

if settled and counts[settled] then
  put(settled, counts[settled] - spent - unspent)
  local slot = math.min(settled, math.floor((now - tonumber(ARGV[9])) / width))
  if spent > 0 and slot >= first then
    put(slot, (counts[slot] or 0) + spent)
  end
end

local used, slots = 0, {}
for slot, count in pairs(counts) do
  used = used + count
  slots[#slots + 1] = slot
end
local free = math.max(0, limit - used)
local granted, lifetime, slot, wait = 0, 0, current, 0
if free < least then
  wait = seconds
  table.sort(slots)
  local missing = least - free
  for _, old in ipairs(slots) do
    missing = missing - counts[old]
    if missing <= 0 then
      wait = (old + 101) * width - now
      break
    end
  end
else
  granted = math.min(free, due + math.min(ahead, math.floor(free / 8)))
  if ahead > 0 then
    slot = current + math.floor(12 * free / limit)
  end
  if granted > 0 then
    put(slot, (counts[slot] or 0) + granted)
    redis.call('PEXPIRE', KEYS[1], math.ceil(2000 * seconds))
  end
  free = free - granted
  lifetime = (slot + 1) * width - now
end
return {granted, free, string.format('%.6f', lifetime), name(slot), string.format('%.6f', wait)}
