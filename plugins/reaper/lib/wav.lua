-- WAV files of 32-bit floating point samples, written in pieces.

local wav = {}

local FLOAT = 3
local SAMPLE_BYTES = 4
local VALUES_AT_ONCE = 480 -- Lua's stack holds a few thousand

local WHOLE_GROUP = "<" .. ("f"):rep(VALUES_AT_ONCE)

--- The header of a file of so many frames.
function wav.header(frames, channels, sample_rate)
  local bytes = frames * channels * SAMPLE_BYTES
  return "RIFF" .. string.pack("<I4", 4 + 24 + 12 + 8 + bytes) .. "WAVE"
    .. "fmt " .. string.pack("<I4I2I2I4I4I2I2", 16, FLOAT, channels, sample_rate,
      sample_rate * channels * SAMPLE_BYTES, channels * SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    .. "fact" .. string.pack("<I4I4", 4, frames)
    .. "data" .. string.pack("<I4", bytes)
end

--- Interleaved samples as the file holds them.
function wav.samples(values)
  local parts, count = {}, #values
  for first = 1, count, VALUES_AT_ONCE do
    local last = math.min(first + VALUES_AT_ONCE - 1, count)
    local group = last - first + 1 == VALUES_AT_ONCE and WHOLE_GROUP or "<" .. ("f"):rep(last - first + 1)
    parts[#parts + 1] = group:pack(table.unpack(values, first, last))
  end
  return table.concat(parts)
end

return wav
