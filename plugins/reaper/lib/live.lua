-- Live transcription: one script starts a session and stays with it; the others leave it a word.

local Client = require("scorebridge.client")
local LiveClock = require("scorebridge.live_clock")
local Tracks = require("scorebridge.tracks")
local insert = require("scorebridge.insert")
local json = require("scorebridge.json")
local running = require("scorebridge.running")
local settings = require("scorebridge.settings")
local slices = require("scorebridge.slices")
local takes = require("scorebridge.takes")
local tempo_map = require("scorebridge.tempo_map")

local live = {}

local SECTION = "ScoreBridge"
local BEAT, WORD = "live_beat", "live_word" -- in REAPER's memory, which all scripts share
local SILENCE_S = 5 -- without a beat for so long, the script that listened is gone
local LEASE_S = 60
local ASK_EVERY_S = 5
local KEEP_S = 30
local EVERYTHING_S = 1e6
local BARS_AHEAD_S = 3600 -- so far the project's bars are told; the last tempo goes on
local EDGE_S = 0.01 -- of the item behind its last note

--- Whether a script listens.
function live.listens()
  local beat_s = tonumber(reaper.GetExtState(SECTION, BEAT))
  return beat_s ~= nil and math.abs(reaper.time_precise() - beat_s) < SILENCE_S
end

--- Leave a word for the script that listens: "stop" or "keep".
function live.say(word)
  if not live.listens() then
    return running.tell("No live transcription runs.\n\nRun the action “ScoreBridge: Live transcription: start” first.")
  end
  reaper.SetExtState(SECTION, WORD, word, false)
end

local function word()
  local said = reaper.GetExtState(SECTION, WORD)
  if said ~= "" then reaper.DeleteExtState(SECTION, WORD, false) end
  return said
end

local function show(sentence) reaper.ShowConsoleMsg("ScoreBridge: " .. sentence .. "\n") end

local Session = {}
Session.__index = Session

--- Ask the daemon and wait for its answer. Sliced work.
function Session:ask(kind, content)
  local id = Client.new_id()
  self.client:request(id, { kind = "message", type = kind, content = content })
  while true do
    local state = self.client:state(id)
    if state.phase == "failed" or state.phase == "cancelled" then
      self.client:forget(id)
      error({ message = state.message, hint = state.hint }, 0)
    elseif state.phase == "done" then
      self.client:forget(id)
      return state.answer.content
    end
    slices.wait()
  end
end

function Session:track()
  local track = self.track_guid and takes.find_track(self.project, self.track_guid)
  return track or self.tracks:new_track(self.project, nil, "live")
end

--- Notes of the daemon's answer as content of a MIDI item.
function Session:content_of(kept)
  local content = { notes = {}, controls = {}, bends = {}, start_s = math.huge, end_s = 0 }
  for i, note in ipairs(kept.notes) do
    local onset_s = self.clock:project_time(kept.started + note.onset)
    local offset_s = onset_s + note.offset - note.onset
    content.notes[i] = { onset_s = onset_s, offset_s = offset_s, pitch = note.pitch, velocity = note.velocity,
      channel = note.channel }
    content.start_s, content.end_s = math.min(content.start_s, onset_s), math.max(content.end_s, offset_s + EDGE_S)
    slices.pause()
  end
  return content
end

--- Write what was played as a MIDI item, in one undo step. Sliced work; the insertion is one tick.
function Session:write(seconds, name)
  local kept = self:ask("live.keep", { live = self.id, seconds = seconds, formats = json.array() })
  if #kept.notes == 0 then return show("No notes were heard.") end
  local prepared = insert.prepare_midi(self.project, self:content_of(kept))
  slices.wait()
  insert.midi(self.project, "ScoreBridge: " .. name,
    { { track = function() return self:track() end, prepared = prepared, name = name } })
end

function Session:start()
  local started = self:ask("live.start", { live = self.id, source = settings.get("live_source"), lease = LEASE_S,
    destinations = json.array({ "reaper:" .. math.tointeger(settings.get("osc_port")) }), formats = json.array() })
  self.started = true
  show("Live transcription listens to " .. started.source .. ".")
end

--- Tell the daemon where the project's bars are whenever the transport starts or jumps, so that what is played to the
-- click is written on the project's grid; when it stands still, beats are tracked again. Sliced work.
function Session:tell_bars()
  local stretch = self.clock:stretch()
  if not stretch or stretch == self.told then return end
  local before = self.told
  self.told = stretch
  local content = { live = self.id, tempo_map = json.null, at = json.null }
  if stretch.playing then
    local from_s = stretch.position_s
    local map = tempo_map.between(self.project, from_s, from_s + BARS_AHEAD_S, from_s)
    for _, point in ipairs(map.points) do point[1] = point[1] / stretch.rate end
    content.tempo_map, content.at = map, self.clock:began(stretch)
  elseif not before or not before.playing then
    return
  end
  local well, problem = pcall(self.ask, self, "live.tempo", content)
  if not well then -- without it beats are tracked: no reason to end
    if type(problem) ~= "table" or not problem.message then error(problem, 0) end
    show(problem.message)
  end
end

--- Stay until the word to stop, or until the session has ended by itself. Sliced work.
function Session:listen()
  local asked_s = reaper.time_precise()
  while true do
    local said = word()
    if said == "stop" then return self:ask("live.stop", { live = self.id }) end
    if said == "keep" then self:write(KEEP_S, "Live, the last 30 seconds") end
    self:tell_bars()
    if reaper.time_precise() - asked_s > ASK_EVERY_S then
      asked_s = reaper.time_precise()
      local state = self:ask("live.status", { live = self.id })
      if state.phase == "ended" or state.phase == "failed" then
        show(("The live transcription has ended. %s %s"):format(state.message, state.hint))
        return
      end
    end
    slices.wait()
  end
end

function Session:body()
  self:start()
  self:listen()
  self.over = true
  self:write(EVERYTHING_S, "Live transcription")
end

--- Ask that it ends, without waiting: this script is being stopped.
function Session:leave()
  reaper.DeleteExtState(SECTION, BEAT, false)
  if self.started and not self.over then
    self.client:request(Client.new_id(), { kind = "message", type = "live.stop", content = { live = self.id } })
    self.client:step()
  end
end

--- Start a session in the front project, for the selected track.
function live.start()
  if live.listens() then return running.tell("A live transcription runs already. Stop it first.") end
  local project = reaper.EnumProjects(-1)
  local track = reaper.GetSelectedTrack(project, 0)
  local session = setmetatable({ id = Client.new_id(), client = Client.new(), project = project, tracks = Tracks.new(),
    track_guid = track and reaper.GetTrackGUID(track), clock = LiveClock.new(project) }, Session)
  local work = slices.work(function() return session:body() end)
  word() -- what was said to an earlier one
  reaper.atexit(function() session:leave() end)
  running.loop(function()
    if not reaper.ValidatePtr2(0, project, "ReaProject*") then return false end -- it was closed
    reaper.SetExtState(SECTION, BEAT, tostring(reaper.time_precise()), false)
    if not session.over then session.clock:tick() end
    session.client:step()
    local ended, well, problem = slices.step(work, reaper.time_precise() + slices.TICK_S)
    if ended and not well then error(problem, 0) end
    return not ended
  end)
end

return live
