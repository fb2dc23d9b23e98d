-- Several tasks at a time: each is inserted when it is ready. One tick's time is shared among them.

local slices = require("scorebridge.slices")

local Batch = {}
Batch.__index = Batch

local SENT_AT_ONCE = 24 -- the daemon has the next ones at hand, and a queue that others can enter
local PREPARED_AT_ONCE = 2

--- A batch of tasks.
-- @param client steps with the batch
-- @param tasks list of tasks
-- @param refused list of {name, why}: items that cannot be used
function Batch.new(client, tasks, refused)
  return setmetatable({ client = client, tasks = tasks, refused = refused or {}, turn = 0 }, Batch)
end

function Batch:active_tasks()
  local active, preparing, sent = {}, 0, 0
  for _, task in ipairs(self.tasks) do
    if task.phase == "preparing" then preparing = preparing + 1 end
    if task.phase == "sent" then sent = sent + 1 end
  end
  for _, task in ipairs(self.tasks) do
    if task.phase == "waiting" and preparing < PREPARED_AT_ONCE and sent + preparing < SENT_AT_ONCE then
      preparing = preparing + 1
      active[#active + 1] = task
    elseif task.phase == "preparing" or task.phase == "sent" then
      active[#active + 1] = task
    end
  end
  return active
end

--- Do one tick's work.
function Batch:step()
  local until_s = reaper.time_precise() + slices.TICK_S
  self.client:step()
  local active = self:active_tasks()
  for i = 1, #active do -- whoever had no turn in this tick is the first in the next one
    local task = active[(self.turn + i - 1) % #active + 1]
    task:step(until_s)
    if reaper.time_precise() >= until_s then
      self.turn = self.turn + i
      return
    end
  end
end

--- Whether every task has ended.
function Batch:is_over()
  for _, task in ipairs(self.tasks) do
    if not task:has_ended() then return false end
  end
  return true
end

--- Whether every task has been sent or has ended.
function Batch:is_sent()
  for _, task in ipairs(self.tasks) do
    if task.phase ~= "sent" and not task:has_ended() then return false end
  end
  return true
end

--- Stop everything that has not ended.
function Batch:cancel()
  for _, task in ipairs(self.tasks) do task:cancel() end
end

--- How many ended how: {done, failed, cancelled}.
function Batch:count()
  local counts = { done = 0, failed = 0, cancelled = 0 }
  for _, task in ipairs(self.tasks) do
    if counts[task.phase] then counts[task.phase] = counts[task.phase] + 1 end
  end
  return counts
end

--- Whether there is something that the user should read.
function Batch:has_news()
  if #self.refused > 0 then return true end
  for _, task in ipairs(self.tasks) do
    if task.phase == "failed" or #task.notes > 0 then return true end
  end
  return false
end

--- Everything that the user should read, one sentence a line.
function Batch:news()
  local lines = {}
  local function add(name, sentence) lines[#lines + 1] = name .. ": " .. sentence end
  for _, item in ipairs(self.refused) do add(item.name, item.why) end
  for _, task in ipairs(self.tasks) do
    local name = task.subject.name
    if task.problem then
      add(name, task.problem.message)
      if task.problem.hint and task.problem.hint ~= "" then lines[#lines + 1] = "    " .. task.problem.hint end
    end
    for _, note in ipairs(task.notes) do add(name, note) end
  end
  return lines
end

return Batch
