-- The way to the daemon through files: the command-line client runs in the background and serves a folder.
-- What lies in the folder stands in `bridge/mailbox.py` of ScoreBridge.

local command = require("scorebridge.command")
local files = require("scorebridge.files")
local home = require("scorebridge.home")
local json = require("scorebridge.json")

local Mailbox = {}
Mailbox.__index = Mailbox

local SECTION, KEY = "ScoreBridge", "mailbox" -- one folder for all scripts of this REAPER
local LOOK_EVERY_S = 0.1
local CLIENT_LOOK_EVERY_S = 0.5
local HOST_BEAT_S = 5
local START_PATIENCE_S = 45 -- a slow disk, a cold Python
local SILENCE_S = 8 -- a client that says nothing for so long is gone
local MOST_STARTS = 3

local function folder_of_this_reaper()
  local folder = reaper.GetExtState(SECTION, KEY)
  if folder == "" then
    folder = files.join(home.folder(), "mailbox-" .. home.new_id())
    reaper.SetExtState(SECTION, KEY, folder, false)
  end
  return folder
end

--- The mailbox of this REAPER; its client is started with the first request.
-- @param notify where to send word of a job's end, as the daemon's setting of this name; or nil
-- @return it, or nil and a sentence
function Mailbox.open(notify)
  local folder = folder_of_this_reaper()
  for _, name in ipairs({ "requests", "replies", "cancels", "sources", "pending" }) do
    local made, problem = files.make_folder(files.join(folder, name))
    if not made then return nil, ("The folder %s cannot be written: %s"):format(folder, problem) end
  end
  return setmetatable({ folder = folder, notify = notify, open = {}, states = {}, starts = 0, host_beat_s = -math.huge,
    client_looked_s = -math.huge, pid = home.process() }, Mailbox)
end

function Mailbox:path(kind, name) return files.join(self.folder, kind, name) end

--- A path for a file that goes with a job; it is removed with the job.
function Mailbox:source_path(id, ending) return self:path("sources", id .. "." .. ending) end

--- Hand in a request: {kind = "submit" | "hello" | "doctor", …}. Its id was made by `home.new_id`.
function Mailbox:request(id, request)
  self.open[id] = { looked_s = -math.huge, request = request }
  self.states[id] = { phase = "queued", stage = "Starting ScoreBridge" }
  self:write_host()
  local written, problem = files.write(self:path("requests", id .. ".json"), json.encode(request))
  if not written then self:fail(id, problem, "") end
end

--- Go on with a request that an earlier script handed in.
function Mailbox:resume(id)
  self.open[id] = { looked_s = -math.huge }
  self.states[id] = { phase = "queued", stage = "Waiting" }
end

--- How a request stands: {phase, stage, current, total, artefacts, engine, warnings, code, message, hint, …}.
function Mailbox:state(id) return self.states[id] end

--- Ask that a request ends; its state says when it has.
function Mailbox:cancel(id) files.write(self:path("cancels", id), "") end

--- Forget a request that has ended, and remove its files.
function Mailbox:forget(id)
  self.open[id], self.states[id] = nil, nil
  os.remove(self:path("requests", id .. ".json"))
  os.remove(self:path("replies", id .. ".json"))
  os.remove(self:path("pending", id .. ".json"))
end

--- Whether the client has not been heard yet: without further steps nobody may serve the requests.
function Mailbox:needs_step() return next(self.open) ~= nil and not self.heard_s end

--- Look after everything; call it once a tick.
function Mailbox:step()
  if next(self.open) == nil then return end
  local now_s = reaper.time_precise()
  self:look_at_replies(now_s)
  if next(self.open) == nil then return end
  if now_s - self.host_beat_s >= HOST_BEAT_S then self:write_host() end
  self:look_at_client(now_s)
end

local function has_ended(state)
  return state.phase == "done" or state.phase == "failed" or state.phase == "cancelled"
end

function Mailbox:look_at_replies(now_s)
  for id, entry in pairs(self.open) do
    if now_s - entry.looked_s >= LOOK_EVERY_S then
      entry.looked_s = now_s
      local reply = home.object_in(self:path("replies", id .. ".json"))
      if reply.phase then
        self.states[id] = reply
        if has_ended(reply) then self.open[id], self.starts = nil, 0 end
      end
      if reaper.time_precise() - now_s > 0.002 then return end -- the others' turn comes in the next tick
    end
  end
end

function Mailbox:write_host()
  self.host_beat_s = reaper.time_precise()
  local host = { pid = self.pid, notify = self.notify }
  if not self.pid then host.beat = os.time() end
  files.write(files.join(self.folder, "host.json"), json.encode(host))
end

--- See whether the client serves the folder: its beat is new, or newer than when we looked before.
function Mailbox:hear_client(now_s)
  local beat = home.object_in(files.join(self.folder, "client.json")).beat
  if not beat or files.exists(self:failure_path()) then
    self.heard_s = nil -- it has ended, or was killed
  elseif self.beat and beat ~= self.beat or math.abs(os.time() - beat) < SILENCE_S and not self.beat then
    self.heard_s, self.started_s = now_s, nil
  end
  self.beat = beat
end

--- Start the client where none serves the folder; give up, with a sentence, where it does not come up.
function Mailbox:look_at_client(now_s)
  if now_s - self.client_looked_s < CLIENT_LOOK_EVERY_S then return end
  self.client_looked_s = now_s
  self:hear_client(now_s)
  local alive = self.heard_s and now_s - self.heard_s < SILENCE_S
  local failed = self.started_s and files.exists(self:failure_path())
  local starting = self.started_s and now_s - self.started_s < START_PATIENCE_S and not failed
  if not alive and not starting then self:start_client(now_s) end
end

function Mailbox:failure_path() return files.join(self.folder, "client.failed") end

function Mailbox:start_client(now_s)
  if self.starts >= MOST_STARTS then
    return self:fail_all("The ScoreBridge client did not start.", self:last_words())
  end
  local words, problem, hint = home.client()
  if not words then return self:fail_all(problem, hint) end
  self.starts, self.started_s, self.heard_s = self.starts + 1, now_s, nil
  os.remove(self:failure_path())
  words[#words + 1] = "mailbox"
  words[#words + 1] = self.folder
  local started, why = command.start(words, files.join(self.folder, "client.log"), self:failure_path())
  if not started then self:fail_all(why, "Run the action: ScoreBridge: Doctor") end
end

--- What the client said last: the reason why it did not start.
function Mailbox:last_words()
  local said = files.read(files.join(self.folder, "client.log")) or ""
  local last = said:match("([^\r\n]+)%s*$")
  return last or "Run the action: ScoreBridge: Doctor"
end

function Mailbox:fail(id, message, hint)
  self.states[id] = { phase = "failed", code = "no_client", message = message, hint = hint or "" }
  self.open[id] = nil
end

function Mailbox:fail_all(message, hint)
  for id in pairs(self.open) do self:fail(id, message, hint) end
end

return Mailbox
