-- One item's way: prepared in slices, sent, waited for, inserted. A task is stepped by its batch.

local slices = require("scorebridge.slices")

local Task = {}
Task.__index = Task

local LOOK_WHETHER_THERE_S = 1.0
local LEAST_SHARE = 0.03 -- of a stage before the remaining time can be guessed

--- A task that has not begun.
-- @param fields `kind` (to_midi and its kin), `subject`, `options`, `choices`, `client`, `tracks`, `id`
function Task.new(fields)
  local self = setmetatable(fields, Task)
  self.phase, self.stage, self.current, self.total = "waiting", "Waiting", 0, 0
  self.notes = self.notes or {}
  for _, note in ipairs(self.subject.notes or {}) do self:note(note) end
  self.path_of = function(ending)
    self.source_path = self.client:source_path(self.id, ending)
    return self.source_path
  end
  self.on_progress = function(current, total) self:show("Reading its sound", current, total) end
  self.work = slices.work(function() return self:body() end)
  return self
end

--- Something the user should know of, though it went well.
function Task:note(sentence)
  for _, known in ipairs(self.notes) do
    if known == sentence then return end
  end
  self.notes[#self.notes + 1] = sentence
end

--- Say what it is doing.
function Task:show(stage, current, total)
  if stage ~= self.stage then self.stage_since_s, self.stage_from = reaper.time_precise(), current or 0 end
  self.stage, self.current, self.total = stage, current or 0, total or 0
end

--- Seconds that this stage will probably take from now on; nil where nothing can be said yet.
function Task:remaining_s()
  if not self.stage_since_s or self.total <= 0 then return nil end
  local done = (self.current - self.stage_from) / self.total
  if done < LEAST_SHARE then return nil end
  return (reaper.time_precise() - self.stage_since_s) * (1 - self.current / self.total) / done
end

--- How much of the present stage is done, 0 to 1.
function Task:share()
  if self.phase == "done" then return 1 end
  return self.total > 0 and math.min(1, self.current / self.total) or 0
end

function Task:has_ended() return self.phase == "done" or self.phase == "failed" or self.phase == "cancelled" end

-- ---- the way --------------------------------------------------------------------------------------------------------

function Task:wait()
  local looked_s = reaper.time_precise()
  while true do
    local state = self.client:state(self.id)
    if state.phase == "done" or state.phase == "failed" or state.phase == "cancelled" then return state end
    self:show(state.stage ~= "" and state.stage or "Waiting", state.current, state.total)
    if reaper.time_precise() - looked_s > LOOK_WHETHER_THERE_S and not self.gone then
      looked_s = reaper.time_precise()
      if not self.kind.is_there(self) then -- nobody could insert it any more
        self.gone = true
        self.client:cancel(self.id)
      end
    end
    slices.wait()
  end
end

function Task:body()
  if self.phase ~= "sent" then
    self.phase = "preparing"
    self:show("Preparing")
    self.client:request(self.id, self.kind.request(self))
    self.phase = "sent"
    if self.after_sending then self.after_sending(self) end
  end
  local state = self:wait()
  if self.gone then error("The item was deleted meanwhile.", 0) end
  if state.phase == "cancelled" then error(slices.STOPPED, 0) end
  if state.phase == "failed" then error({ message = state.message, hint = state.hint }, 0) end
  for _, warning in ipairs(state.warnings or {}) do self:note(warning) end
  self:show("Inserting")
  self.kind.finish(self, state)
end

--- Go on until `until_s`.
function Task:step(until_s)
  local ended, well, problem = slices.step(self.work, until_s)
  if not ended then return end
  if well then
    self:finish("done")
  elseif problem == slices.STOPPED then
    self:finish("cancelled")
  else
    if type(problem) ~= "table" then problem = { message = tostring(problem), hint = "" } end
    self.problem = problem
    self:finish("failed")
  end
end

function Task:finish(phase)
  self.phase = phase
  self.stage = phase == "done" and "Done" or phase == "cancelled" and "Cancelled" or self.problem.message
  self.client:forget(self.id)
end

--- Stop it: a job that was sent is cancelled at the daemon, and ends when that has said so.
function Task:cancel()
  if self:has_ended() or self.cancelling then return end
  if self.phase == "sent" then
    self.cancelling = true
    self.stage = "Cancelling"
    self.client:cancel(self.id)
  else
    slices.stop(self.work)
    self:finish("cancelled")
  end
end

--- Go on with a task that an earlier script sent.
function Task:resume()
  self.phase = "sent"
  self.client:resume(self.id, self.source_path)
end

return Task
