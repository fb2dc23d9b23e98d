-- Writing what an item plays to a WAV file, before effects, where its file alone would not tell: reversed, looped,
-- stretched and pitched takes, and takes without a file.

local slices = require("scorebridge.slices")
local take_time = require("scorebridge.take_time")
local takes = require("scorebridge.takes")
local wav = require("scorebridge.wav")

local rendering = {}

local BLOCK_FRAMES = 4096
local HIGHEST_SAMPLE_RATE = 48000
local DEFAULT_SAMPLE_RATE = 44100
local MOST_ATTEMPTS = 3

local function shape_of(take, facts)
  local source = reaper.GetMediaItemTake_Source(take)
  local sample_rate = math.floor(reaper.GetMediaSourceSampleRate(source))
  if sample_rate <= 0 then sample_rate = DEFAULT_SAMPLE_RATE end
  sample_rate = math.min(sample_rate, HIGHEST_SAMPLE_RATE)
  local channels = math.max(1, math.min(2, reaper.GetMediaSourceNumChannels(source)))
  return { sample_rate = sample_rate, channels = channels, frames = math.floor(facts.length_s * sample_rate + 0.5) }
end

local function same_sound(a, b)
  return a.length_s == b.length_s and a.start_offset_s == b.start_offset_s and a.playrate == b.playrate
    and a.reversed == b.reversed and a.file == b.file
end

--- Write blocks from `done` frames on until this tick's time is used up. Returns how many frames are done then.
local function write_blocks(file, take, shape, done)
  local accessor = reaper.CreateTakeAudioAccessor(take)
  local buffer = reaper.new_array(BLOCK_FRAMES * shape.channels)
  local well, result = pcall(function()
    local start_s = reaper.GetAudioAccessorStartTime(accessor)
    repeat
      local frames = math.min(BLOCK_FRAMES, shape.frames - done)
      buffer.clear()
      local found = reaper.GetAudioAccessorSamples(accessor, shape.sample_rate, shape.channels,
        start_s + done / shape.sample_rate, frames, buffer)
      if found < 0 then error("REAPER could not read the item's sound.", 0) end
      if not file:write(wav.samples(buffer.table(1, frames * shape.channels))) then
        error("The item's sound could not be written: is the disk full?", 0)
      end
      done = done + frames
    until done >= shape.frames or slices.used_up()
    return done
  end)
  reaper.DestroyAudioAccessor(accessor) -- it would not outlive this tick's handles
  if not well then error(result, 0) end
  return result
end

--- Write all of it. Returns whether the take stayed as it was; nil where it was deleted.
local function write_all(file, sent, facts, shape, on_progress)
  file:write(wav.header(shape.frames, shape.channels, shape.sample_rate))
  local done, take = 0, sent.handle
  while done < shape.frames do
    done = write_blocks(file, take, shape, done)
    on_progress(done, shape.frames)
    slices.wait()
    local item
    take, item = takes.find(sent.project, sent.guid)
    if not take then return nil end
    if not same_sound(facts, takes.facts(item, take)) then return false end
  end
  return true
end

local function attempt(project, guid, path, on_progress)
  local take, item = takes.find(project, guid)
  if not take then return nil end
  local facts = takes.facts(item, take)
  local file = assert(io.open(path, "wb"))
  local sent = { project = project, guid = guid, handle = take }
  local well, stayed = pcall(write_all, file, sent, facts, shape_of(take, facts), on_progress)
  file:close() -- also where it was stopped
  if not well then
    os.remove(path)
    error(stayed, 0)
  end
  if not stayed then return stayed == false and "changed" or nil end
  facts.rendered = take_time.needs_rendering(facts) or "asked for"
  return facts
end

--- Write what the item plays, from its start to its end, to a WAV file. Sliced work.
-- @param on_progress called with frames done and frames in all
-- @return facts of the take as they were sent, or nil where it was deleted meanwhile
function rendering.write(project, guid, path, on_progress)
  for _ = 1, MOST_ATTEMPTS do
    local facts = attempt(project, guid, path, on_progress)
    if facts ~= "changed" then return facts end
  end
  error("The item was changed again and again while its sound was being read.", 0)
end

return rendering
