-- Real WAV files: their shape, and single values of them.

local wav = {}

local open_file = io.open
local PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
local FORMATS = { [PCM] = { [16] = { "<i2", 32768 }, [24] = { "<i3", 8388608 }, [32] = { "<i4", 2147483648 } },
  [FLOAT] = { [32] = { "<f", 1 } } }

local sounds = {}

local function chunks_of(content)
  local position, chunks = 13, {}
  while position + 8 <= #content do
    local name, size = string.unpack("<c4I4", content, position)
    chunks[name] = chunks[name] or { first = position + 8, size = math.min(size, #content - position - 7) }
    position = position + 8 + size + size % 2
  end
  return chunks
end

local function read(path)
  local file = open_file(path, "rb")
  if not file then return nil end
  local content = file:read("a")
  file:close()
  if not content or content:sub(1, 4) ~= "RIFF" or content:sub(9, 12) ~= "WAVE" then return nil end
  local chunks = chunks_of(content)
  local format, channels, sample_rate, _, block_bytes, bits = string.unpack("<I2I2I4I4I2I2", content,
    chunks["fmt "].first)
  if format == EXTENSIBLE then format = string.unpack("<I2", content, chunks["fmt "].first + 24) end
  local sample = FORMATS[format] and FORMATS[format][bits]
  if not sample or not chunks.data then return nil end
  return { content = content, first = chunks.data.first, frames = chunks.data.size // block_bytes,
    channels = channels, sample_rate = sample_rate, block_bytes = block_bytes, sample_bytes = bits // 8,
    pack = sample[1], full = sample[2] }
end

--- A file's `sample_rate`, `channels` and `frames`; nil where it is no WAV file.
wav.shape = read

--- A file's sound, kept for the next time.
function wav.sound(path)
  sounds[path] = sounds[path] or assert(read(path), path .. " cannot be read")
  return sounds[path]
end

local function at(sound, frame, channel)
  if frame < 0 or frame >= sound.frames then return 0.0 end
  local position = sound.first + frame * sound.block_bytes + (channel - 1) * sound.sample_bytes
  return string.unpack(sound.pack, sound.content, position) / sound.full
end

--- The value at a moment, between two samples where it lies there.
function wav.value(sound, moment_s, channel)
  local place = moment_s * sound.sample_rate
  local frame = place // 1
  local share = place - frame
  frame = math.tointeger(frame)
  if share < 1e-6 then return at(sound, frame, channel) end
  return (1 - share) * at(sound, frame, channel) + share * at(sound, frame + 1, channel)
end

return wav
