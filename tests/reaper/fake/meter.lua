-- How long the script holds the main thread in a tick: instructions and processor time of the script itself
-- (`script_ms`), processor and wall time with what it calls of REAPER (`cpu_ms`, `wall_ms`). REAPER's own part is
-- compiled code and this stand-in's is not; what only the stand-in does (snapshots, starting shells) is not counted.

local socket = require("socket.core")
local violations = require("violations")

local meter = { limit_s = 10 }

local EVERY = 100 -- instructions between two looks
local WORST = 8 -- ticks that are kept whole

local now_s, cpu_s, set_hook = socket.gettime, os.clock, debug.sethook
local instructions, host_instructions, excluded_wall_s, excluded_cpu_s, host_cpu_s = 0, 0, 0, 0, 0
local inside, entered_s = 0, 0 -- how deep in REAPER's functions, and since when
local started_s, started_cpu_s
meter.ticks, meter.worst = 0, {}
meter.most = { instructions = 0, script_ms = 0, cpu_ms = 0, wall_ms = 0 }
meter.total = { instructions = 0, script_ms = 0, cpu_ms = 0, wall_ms = 0 }

meter.now_s = now_s

local function look()
  if inside > 0 then
    host_instructions = host_instructions + EVERY
  else
    instructions = instructions + EVERY
  end
  if started_s and inside == 0 and now_s() - started_s - excluded_wall_s > meter.limit_s then
    started_s = nil
    violations.raise("the main thread was held for more than %g s", meter.limit_s)
  end
end

--- Count in a coroutine too, or in the main thread.
function meter.watch(thread)
  if thread then set_hook(thread, look, "", EVERY) else set_hook(look, "", EVERY) end
end

--- The script calls a function of REAPER.
function meter.enter()
  if inside == 0 then entered_s = cpu_s() - excluded_cpu_s end
  inside = inside + 1
end

--- The function returns.
function meter.leave()
  inside = inside - 1
  if inside == 0 then host_cpu_s = host_cpu_s + cpu_s() - excluded_cpu_s - entered_s end
end

--- Do something that REAPER would not have to do; its time does not count.
function meter.excluding(work, ...)
  local wall_s, processor_s = now_s(), cpu_s()
  local results = table.pack(pcall(work, ...))
  excluded_wall_s = excluded_wall_s + now_s() - wall_s
  excluded_cpu_s = excluded_cpu_s + cpu_s() - processor_s
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

--- A tick begins.
function meter.begin()
  instructions, host_instructions, excluded_wall_s, excluded_cpu_s, host_cpu_s = 0, 0, 0, 0, 0
  started_s, started_cpu_s = now_s(), cpu_s()
end

local function keep(tick)
  table.insert(meter.worst, tick)
  table.sort(meter.worst, function(a, b) return a.cpu_ms > b.cpu_ms end)
  meter.worst[WORST + 1] = nil
end

--- A tick ends; it is counted.
function meter.finish()
  local spent_s = cpu_s() - started_cpu_s - excluded_cpu_s
  local tick = {
    number = meter.ticks,
    instructions = instructions,
    host_instructions = host_instructions,
    script_ms = (spent_s - host_cpu_s) * 1000,
    cpu_ms = spent_s * 1000,
    wall_ms = (now_s() - (started_s or now_s()) - excluded_wall_s) * 1000,
  }
  started_s = nil
  meter.ticks = meter.ticks + 1
  for name, most in pairs(meter.most) do
    meter.most[name] = math.max(most, tick[name])
    meter.total[name] = meter.total[name] + tick[name]
  end
  keep(tick)
end

--- Forget what was counted.
function meter.reset()
  meter.ticks, meter.worst = 0, {}
  for name in pairs(meter.most) do meter.most[name], meter.total[name] = 0, 0 end
end

--- What was counted: `ticks`, `most` and `total` of each, and the ticks that took most processor time.
function meter.report()
  return { ticks = meter.ticks, most = meter.most, total = meter.total, worst = meter.worst }
end

return meter
