-- How an action runs: its batch is stepped by `defer` until everything has ended or, where OSC says when, is sent.

local Batch = require("scorebridge.batch")
local Client = require("scorebridge.client")
local ProgressWindow = require("scorebridge.progress_window")
local Task = require("scorebridge.task")
local Tracks = require("scorebridge.tracks")
local pending = require("scorebridge.pending")
local settings = require("scorebridge.settings")

local running = {}

local TITLE = "ScoreBridge"
local COLLECT_COMMAND = "_RSscorebridge_collect_results" -- as `scorebridge plugins install reaper --register` names it
local LINGER_S = 0.8 -- how long a finished batch is shown when there is nothing to read
local ONE_INSTANCE = 1 | 2 -- end the script that runs and start the new one, without asking

--- A sentence in a dialog. Only where the user has just started an action: it stops everything.
function running.tell(sentence) reaper.MB(sentence, TITLE, 0) end

local function sentence_of(problem)
  if type(problem) == "table" and problem.message then
    return problem.message .. (problem.hint and problem.hint ~= "" and "\n\n" .. problem.hint or "")
  end
  return tostring(problem)
end

--- Run an action's body, and say in a sentence what went wrong.
function running.action(body)
  local well, problem = pcall(body)
  if not well then running.tell(sentence_of(problem)) end
end

--- Call `tick` in every tick as long as it returns true.
function running.loop(tick)
  local function again()
    local well, more = pcall(tick)
    if not well then
      reaper.ShowConsoleMsg(TITLE .. ": " .. sentence_of(more) .. "\n")
    elseif more then
      reaper.defer(again)
    end
  end
  again()
end

-- ---- waiting with a window ------------------------------------------------------------------------------------------

--- Step a batch behind its window. Closing the window cancels what has not ended.
function running.with_window(title, batch)
  local window = ProgressWindow.new(title, batch)
  local over_s
  reaper.atexit(function() batch:cancel() end) -- REAPER is closed, or this script is stopped
  running.loop(function()
    batch:step()
    if window and window:draw() == "closed" then
      window = nil
      gfx.quit()
      batch:cancel()
    end
    if not batch:is_over() then return true end -- also without its window, until the daemon has confirmed
    if not window then return false end
    over_s = over_s or reaper.time_precise()
    if batch:has_news() or reaper.time_precise() - over_s < LINGER_S then return true end
    ProgressWindow.close()
    return false
  end)
end

-- ---- waiting for OSC ------------------------------------------------------------------------------------------------

--- What the daemon's notification has to say so that REAPER runs the action that collects; nil, and why, without it.
function running.notification()
  local command = reaper.GetExtState(TITLE, "collect_command")
  if command == "" and reaper.NamedCommandLookup(COLLECT_COMMAND) ~= 0 then command = COLLECT_COMMAND end
  if command == "" then
    return nil, "REAPER does not know yet which action collects results.\n\n"
      .. "Run the action “ScoreBridge: Collect results” once."
  end
  return ("127.0.0.1:%d/action/str %s"):format(settings.get("osc_port"), command)
end

--- Step a batch until everything is sent; then others go on with it.
function running.until_sent(batch)
  local function leave()
    for _, task in ipairs(batch.tasks) do
      if task.phase ~= "sent" then task:cancel() end
    end
  end
  reaper.atexit(leave)
  for _, task in ipairs(batch.tasks) do task.after_sending = pending.keep end
  running.loop(function()
    batch:step()
    local started = not batch.client.mailbox:needs_step()
    if not (batch:is_sent() and started) then return true end
    if batch:has_news() then reaper.ShowConsoleMsg(table.concat(batch:news(), "\n") .. "\n") end
    return false
  end)
end

-- ---- starting -------------------------------------------------------------------------------------------------------

--- Run a kind of work on subjects.
-- @param kind `to_midi` or its kin
-- @param refused items that cannot be used, and why
function running.batch(kind, subjects, refused)
  local waits_for_osc = settings.get("wait") == "osc"
  local notify, problem
  if waits_for_osc then
    notify, problem = running.notification()
    if not notify then return running.tell(problem) end
  end
  local client, tracks = Client.new(notify), Tracks.new()
  local tasks, batch_id = {}, Client.new_id()
  for i, subject in ipairs(subjects) do
    tasks[i] = Task.new({ id = Client.new_id(), kind = kind, subject = subject, client = client, tracks = tracks,
      batch = batch_id, options = settings.options(kind.purpose, subject.project), choices = kind.choices() })
  end
  local batch = Batch.new(client, tasks, refused)
  if waits_for_osc then return running.until_sent(batch) end
  return running.with_window(kind.title, batch)
end

--- Start an action on the selected items.
-- @param wanted see `selection.items`
function running.on_selection(kind, wanted, nothing)
  local selection = require("scorebridge.selection")
  local project = reaper.EnumProjects(-1)
  local subjects, refused = selection.items(project, wanted)
  if #subjects > 0 then return running.batch(kind, subjects, refused) end
  local lines = { nothing }
  for i, item in ipairs(refused) do
    if i <= 10 then lines[#lines + 1] = item.name .. ": " .. item.why end
  end
  running.tell(table.concat(lines, "\n\n", 1, 1) .. (lines[2] and "\n\n" .. table.concat(lines, "\n", 2) or ""))
end

-- ---- going on with what was sent ------------------------------------------------------------------------------------

local KINDS = { "to_midi", "to_notation", "to_audio", "score_to_midi" }

local function resumed(client, record, tracks)
  local kind = require("scorebridge." .. record.kind)
  local task = Task.new({ id = record.id, kind = kind, subject = record.subject, client = client, tracks = tracks,
    choices = record.choices, sent = record.sent, notes = record.notes, source_path = record.source_path,
    batch = record.batch, options = {} })
  task:resume()
  return task
end

--- A batch of the tasks that earlier scripts left behind.
-- @param only_ready leave out those whose answers are not there yet
function running.left_behind(only_ready)
  local known = {}
  for _, name in ipairs(KINDS) do known[name] = true end
  local client = Client.new(running.notification())
  local tasks, waiting, tracks = {}, 0, {}
  for _, record in ipairs(pending.records(client)) do
    if not known[record.kind] then
      error("ScoreBridge does not know how to go on with " .. tostring(record.kind) .. ".", 0)
    elseif only_ready and not pending.is_ready(client, record) then
      waiting = waiting + 1
    else
      tracks[record.batch] = tracks[record.batch] or Tracks.new(pending.tracks_of(record.batch))
      tasks[#tasks + 1] = resumed(client, record, tracks[record.batch])
    end
  end
  return Batch.new(client, tasks), waiting
end

--- Remember the tracks of what was inserted, for the next script that collects.
local function keep_tracks(batch)
  for _, task in ipairs(batch.tasks) do pending.keep_tracks(task.batch, task.tracks:memory()) end
end

--- Insert what is ready, and end.
-- @param patience_s how long to wait for a first answer: word of it may come before the answer's file
function running.collect(patience_s)
  reaper.set_action_options(ONE_INSTANCE)
  local until_s = reaper.time_precise() + patience_s
  local batch
  running.loop(function()
    if not batch then
      local found, waiting = running.left_behind(true)
      if #found.tasks == 0 then return waiting > 0 and reaper.time_precise() < until_s end
      batch = found
    end
    batch:step()
    keep_tracks(batch)
    if not batch:is_over() then return true end
    if batch:has_news() then reaper.ShowConsoleMsg(table.concat(batch:news(), "\n") .. "\n") end
    batch = nil -- another may have become ready meanwhile
    until_s = reaper.time_precise()
    return true
  end)
end

--- Show what was sent, and wait for it.
function running.show_progress()
  reaper.set_action_options(ONE_INSTANCE)
  local batch = running.left_behind(false)
  if #batch.tasks == 0 then return running.tell("Nothing that was sent waits for its result.") end
  local window = ProgressWindow.new("Progress", batch)
  running.loop(function()
    batch:step()
    keep_tracks(batch)
    if window:draw() == "closed" then return false end -- the jobs go on
    return true
  end)
end

return running
