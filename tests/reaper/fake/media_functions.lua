-- REAPER's functions for media: sources, and the sound that a take plays.

local handles = require("handles")
local meter = require("meter")
local violations = require("violations")
local wav = require("wav")

local media = { accessors = 0 }
local reaper = {}
media.reaper = reaper

local GRAIN_S = 0.05 -- of sound that keeps its pitch at another rate

local MOST_VALUES = 4194304 -- of an array

-- sources

local function root_of(source)
  while source.parent do source = source.parent end
  return source
end

local function length_of(source)
  if source.midi then return source.midi.last_tick / source.midi.ticks_per_quarter end
  return source.length_s
end

function reaper.GetMediaSourceParent(source) return source.parent end

function reaper.GetMediaSourceLength(source) return length_of(source), source.midi ~= nil end

function reaper.GetMediaSourceFileName(source) return source.parent and "" or source.file or "" end

function reaper.GetMediaSourceType(source) return source.type end

function reaper.GetMediaSourceSampleRate(source) return root_of(source).sample_rate or 0 end

function reaper.GetMediaSourceNumChannels(source) return root_of(source).channels or 0 end

function reaper.PCM_Source_GetSectionInfo(source)
  if source.type ~= "SECTION" then return false, 0, 0, false end
  return true, source.offset_s, source.length_s, source.reversed
end

function reaper.PCM_Source_CreateFromFile(path)
  if path:lower():match("%.midi?$") then
    violations.raise("PCM_Source_CreateFromFile: what becomes of a MIDI file is the user's preference")
  end
  local shape = meter.excluding(wav.shape, path)
  if not shape then return nil end
  return { type = "WAVE", file = path, length_s = shape.frames / shape.sample_rate, sample_rate = shape.sample_rate,
    channels = shape.channels }
end

function reaper.PCM_Source_CreateFromType(kind)
  if kind ~= "MIDI" then violations.raise("PCM_Source_CreateFromType: the type %s is not modelled", kind) end
  return { type = "MIDI", midi = { events = {}, last_tick = 0, ticks_per_quarter = 960 } }
end

-- the sound of a take

--- Moment of the take's source at a moment (seconds) of its item.
local function source_moment(take, item_s)
  local taken_s = item_s * take.values.D_PLAYRATE
  local before
  for _, marker in ipairs(take.stretch_markers) do
    if before and taken_s < marker.position_s then
      local share = (taken_s - before.position_s) / (marker.position_s - before.position_s)
      return take.values.D_STARTOFFS + before.source_s + share * (marker.source_s - before.source_s)
    end
    before = marker
  end
  if before and taken_s >= before.position_s then
    return take.values.D_STARTOFFS + before.source_s + taken_s - before.position_s
  end
  return take.values.D_STARTOFFS + taken_s
end

local function moment_in_file(source, moment_s, looped)
  local length_s = source.length_s
  if looped then moment_s = moment_s % length_s end
  if moment_s < 0 or moment_s >= length_s then return nil end
  if source.type ~= "SECTION" then return moment_s end
  if source.reversed then moment_s = length_s - moment_s end
  return moment_in_file(source.parent, source.offset_s + moment_s, false)
end

local function value_at(accessor, moment_s, channel)
  local file_s = moment_in_file(accessor.take.source, moment_s, accessor.looped)
  return file_s and wav.value(accessor.sound, file_s, channel) or 0.0
end

--- Sound that keeps its pitch while time is stretched: overlapping grains, each played at its own speed.
local function grains_at(accessor, item_s, channel, speed)
  local first = item_s // GRAIN_S
  local share = item_s / GRAIN_S - first
  local function grain(number)
    local centre_s = number * GRAIN_S
    return value_at(accessor, source_moment(accessor.take, centre_s) + (item_s - centre_s) * speed, channel)
  end
  return (1 - share) * grain(first) + share * grain(first + 1)
end

local function channel_of(accessor, channel)
  local mode = accessor.take.values.I_CHANMODE
  if mode == 3 or mode == 4 then return mode - 2 end
  return math.min(channel, accessor.sound.channels)
end

local function sample(accessor, item_s, channel)
  local values = accessor.take.values
  local keeps = values.D_PLAYRATE ~= 1 and values.B_PPITCH ~= 0 or values.D_PITCH ~= 0
    or #accessor.take.stretch_markers > 0
  channel = channel_of(accessor, channel)
  if not keeps then return value_at(accessor, source_moment(accessor.take, item_s), channel) end
  local speed = 2 ^ (values.D_PITCH / 12) * (values.B_PPITCH ~= 0 and 1 or values.D_PLAYRATE)
  return grains_at(accessor, item_s, channel, speed)
end

function reaper.CreateTakeAudioAccessor(take)
  if not take.source or take.source.midi then violations.raise("CreateTakeAudioAccessor: the take has no sound") end
  media.accessors = media.accessors + 1
  return { take = take, looped = take.item.values.B_LOOPSRC ~= 0,
    sound = meter.excluding(wav.sound, root_of(take.source).file) }
end

function reaper.DestroyAudioAccessor(accessor)
  media.accessors = media.accessors - 1
  accessor.dead = true
end

local function check_accessor(accessor)
  if accessor.take.dead then violations.raise("the take of this audio accessor is gone") end
end

function reaper.GetAudioAccessorStartTime(accessor)
  check_accessor(accessor)
  return 0
end

local function fill(accessor, sample_rate, channels, starts_s, count, values)
  local length_s = accessor.take.item.values.D_LENGTH
  local any = 0
  for i = 0, count - 1 do
    local item_s = starts_s + i / sample_rate
    for channel = 1, channels do
      local inside = item_s >= 0 and item_s < length_s
      values[i * channels + channel] = inside and sample(accessor, item_s, channel) or 0.0
      if inside then any = 1 end
    end
  end
  return any
end

function reaper.GetAudioAccessorSamples(accessor, sample_rate, channels, starts_s, count, array)
  check_accessor(accessor)
  if count * channels > array.size then violations.raise("GetAudioAccessorSamples: the array is too short") end
  if sample_rate <= 0 or channels <= 0 then violations.raise("GetAudioAccessorSamples: no sample rate or channels") end
  -- REAPER does this in compiled code.
  return meter.excluding(fill, accessor, sample_rate, channels, starts_s, count, array.values)
end

-- arrays

local function check_range(array, offset, size, where)
  if offset < 1 or size < 0 or offset + size - 1 > array.size then
    violations.raise("reaper.array.%s: beyond its end", where)
  end
end

local function methods_of(array)
  return {
    clear = function(value, offset, size)
      offset = offset or 1
      size = size or array.size - offset + 1
      check_range(array, offset, size, "clear")
      for i = offset, offset + size - 1 do array.values[i] = value or 0.0 end
      return true
    end,
    table = function(offset, size)
      offset = offset or 1
      size = size or array.size - offset + 1
      check_range(array, offset, size, "table")
      return table.move(array.values, offset, offset + size - 1, 1, {})
    end,
  }
end

function reaper.new_array(size)
  if size < 1 or size > MOST_VALUES then violations.raise("new_array: %d values", size) end
  local array = { size = size, values = {} }
  for i = 1, size do array.values[i] = 0.0 end
  local methods = methods_of(array)
  local made = handles.userdata({
    __name = "reaper.array", __metatable = false,
    __len = function() return size end,
    __index = function(_, key)
      if methods[key] then return methods[key] end
      if math.type(key) == "integer" and key >= 1 and key <= size then return array.values[key] end
      violations.raise("reaper.array has no %s", tostring(key))
    end,
    __newindex = function(_, key, value)
      if math.type(key) ~= "integer" or key < 1 or key > size or type(value) ~= "number" then
        violations.raise("reaper.array: %s cannot be set", tostring(key))
      end
      array.values[key] = value
    end,
  })
  handles.adopt(made, "array", array)
  return made
end

return media
