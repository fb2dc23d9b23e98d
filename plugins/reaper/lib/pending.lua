-- Tasks that go on when no script waits for them: written beside their request, taken up by whoever collects.

local files = require("scorebridge.files")
local home = require("scorebridge.home")
local json = require("scorebridge.json")
local takes = require("scorebridge.takes")

local pending = {}

local SECTION = "ScoreBridge"

local function without_handles(subject)
  local plain = {}
  for key, value in pairs(subject) do
    if key ~= "project" then plain[key] = value end
  end
  return plain
end

local function path_of(client, id) return client.mailbox:path("pending", id .. ".json") end

--- Write down a task that was sent.
function pending.keep(task)
  local record = { id = task.id, kind = task.kind.name, subject = without_handles(task.subject), sent = task.sent,
    choices = task.choices, notes = json.array(task.notes), source_path = task.source_path, batch = task.batch,
    project_file = home.project_file(task.subject.project) }
  local written, problem = files.write(path_of(task.client, task.id), json.encode(record))
  if not written then error(problem, 0) end
end

--- The open project that a task belongs to: where its take lies, or else the one with its file; nil where it is closed.
local function project_of(record)
  local i = 0
  while true do
    local project, file = reaper.EnumProjects(i)
    if not project then return nil end
    if record.subject.take then
      if takes.find(project, record.subject.take) then return project end
    elseif file == record.project_file then
      return project
    end
    i = i + 1
  end
end

local function names_in(folder)
  local names, i = {}, 0
  reaper.EnumerateFiles(folder, -1) -- forget what was listed before
  while true do
    local name = reaper.EnumerateFiles(folder, i)
    if not name then break end
    names[#names + 1] = name
    i = i + 1
  end
  table.sort(names)
  return names
end

--- The records of tasks whose projects are open, each with its `project`.
function pending.records(client)
  local records = {}
  for _, name in ipairs(names_in(client.mailbox:path("pending", ""))) do
    local record = name:match("%.json$") and home.object_in(client.mailbox:path("pending", name)) or {}
    if record.id and record.subject then
      record.subject.project = project_of(record)
      if record.subject.project then records[#records + 1] = record end
    end
  end
  return records
end

--- Whether a record's answer is there.
function pending.is_ready(client, record)
  local reply = home.object_in(client.mailbox:path("replies", record.id .. ".json"))
  return reply.phase == "done" or reply.phase == "failed" or reply.phase == "cancelled"
end

--- The memory of a batch's tracks, shared by the scripts that insert its results.
function pending.tracks_of(batch)
  local text = reaper.GetExtState(SECTION, "tracks " .. batch)
  local well, made = pcall(json.decode, text)
  return well and type(made) == "table" and made or {}
end

--- Remember a batch's tracks.
function pending.keep_tracks(batch, made) reaper.SetExtState(SECTION, "tracks " .. batch, json.encode(made), false) end

return pending
