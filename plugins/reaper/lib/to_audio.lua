-- MIDI items to audio: a WAV in the project's media folder, on a new track at the same place.

local insert = require("scorebridge.insert")
local json = require("scorebridge.json")
local sending = require("scorebridge.sending")
local takes = require("scorebridge.takes")
local to_notation = require("scorebridge.to_notation")

local to_audio = { name = "to_audio", title = "Render MIDI items to audio", purpose = "audio" }

--- What to ask for. Sliced work.
function to_audio.request(task)
  local subject = task.subject
  local source, facts = sending.midi(subject.project, subject.take, task.path_of)
  task.sent = facts
  return { kind = "submit", source = source, target = json.array({ "wav" }), options = task.options }
end

--- Insert the sound where the item lies now.
function to_audio.finish(task, state)
  local subject = task.subject
  local path = to_notation.keep(task, state, "media")
  local take, item = takes.find(subject.project, subject.take)
  if not take then error("The item was deleted meanwhile: its sound was left out, it is " .. path .. ".", 0) end
  local position_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  insert.audio(subject.project, "ScoreBridge: render " .. subject.name .. " to audio", function()
    return task.tracks:new_track(subject.project, subject.track, "audio")
  end, path, position_s, subject.name)
end

function to_audio.choices() return {} end

function to_audio.is_there(task) return takes.find(task.subject.project, task.subject.take) ~= nil end

return to_audio
