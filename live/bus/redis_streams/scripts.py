"""What Valkey does in one step, as scripts in its own Lua."""

from __future__ import annotations

TAKE_LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder == false then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 2
elseif holder == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return 1
end
return 0
"""
"""Take a lease that nobody has (2), or make one's own last (1); 0 when another has it."""

GIVE_UP_LEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
"""

FORGET_MEMBERS = """
local members = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if members.err then
    return 0
end
local forgotten = 0
for _, member in ipairs(members) do
    local of = {}
    for number = 1, #member, 2 do
        of[member[number]] = member[number + 1]
    end
    local is_asked_for = ARGV[3] == '' or of['name'] == ARGV[3]
    if is_asked_for and of['name'] ~= ARGV[4] and of['pending'] == 0
            and of['idle'] >= tonumber(ARGV[2]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], of['name'])
        forgotten = forgotten + 1
    end
end
return forgotten
"""
"""Take members out of a group that hold nothing and were idle for so many milliseconds: all or the
one named, but never the other one named. In one step, since what a member holds goes with it; one
that reads again is a member again."""

TRIM = """
local last = redis.call('XREVRANGE', KEYS[1], '(' .. ARGV[1], '-', 'COUNT', 1)
if #last == 0 then
    return 0
end
redis.call('SET', KEYS[2], last[1][1])
return redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1])
"""
"""Forget what is older than an ID, and note the last of it: a reader behind it has missed some."""

PUBLISH = """
local function numbers(id)
    local milliseconds, sequence = string.match(id, '(%d+)-(%d+)')
    return tonumber(milliseconds), tonumber(sequence)
end
if ARGV[1] ~= '' and #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
    local trimmed = redis.call('GET', KEYS[2])
    if not trimmed then
        return false
    end
    local last, within = numbers(ARGV[1])
    local gone, place = numbers(trimmed)
    if gone < last or (gone == last and place < within) then
        return false
    end
end
local id
for number = 2, #ARGV do
    id = redis.call('XADD', KEYS[1], '*', 'events', ARGV[number])
end
return id
"""
"""Add entries, all or none, unless the one that the publisher added last is gone and was not
trimmed: what came after that must not close the gap that it left."""
