-- Long work in slices: a coroutine that gives way when its part of a tick is used up. REAPER's main thread draws the
-- window and feeds the controls; nobody may hold it.

local slices = {}

--- Seconds that all work of one tick may take together.
slices.TICK_S = 0.004

--- Counts the steps of all work: handles that were found in an earlier one may have died.
slices.step_number = 0

local deadline_s = math.huge

--- Whether this tick's time is used up.
function slices.used_up() return reaper.time_precise() >= deadline_s end

--- What is raised in work that was stopped.
slices.STOPPED = setmetatable({}, { __tostring = function() return "It was stopped." end })

local function give_way()
  if coroutine.yield() == slices.STOPPED then error(slices.STOPPED, 0) end
end

--- Give way when this tick's time is used up. Does nothing outside of sliced work.
function slices.pause()
  if slices.used_up() and coroutine.isyieldable() then give_way() end
end

--- Give way until the next tick.
function slices.wait()
  if coroutine.isyieldable() then give_way() end
end

--- Work that can be stepped.
-- @param body function that calls `slices.pause` often enough
function slices.work(body) return coroutine.create(body) end

local function resume(work, until_s, order)
  local before_s = deadline_s
  deadline_s = until_s
  slices.step_number = slices.step_number + 1
  local well, result = coroutine.resume(work, order)
  deadline_s = before_s
  if coroutine.status(work) == "suspended" then return false end
  return true, well, result
end

--- Do some of it.
-- @param until_s time (`reaper.time_precise`) at which it has to give way
-- @return whether it has ended; then whether it ended well; then what it returned or raised
function slices.step(work, until_s) return resume(work, until_s) end

--- End it where it stands, so that it closes its files.
function slices.stop(work)
  if coroutine.status(work) == "suspended" then resume(work, math.huge, slices.STOPPED) end
end

return slices
