-- A project's tempo map. Tempo is in quarter notes a minute; between a marker that is linear and the next one it
-- changes evenly in time. Time signatures begin at barlines.

local Timeline = {}
Timeline.__index = Timeline

local CLOSE_QUARTERS = 1e-7

local function piece_length_s(bpm, next_bpm, quarters) return 120 * quarters / (bpm + next_bpm) end

--- @param tempo quarter notes a minute and time signature at the start: `bpm`, `numerator`, `denominator`
-- @param markers list of {quarter, bpm, linear, numerator, denominator (nil: as before)}, in order
function Timeline.new(tempo, markers)
  local self = setmetatable({ pieces = {}, signatures = {}, markers = markers }, Timeline)
  self:_add_piece(0, 0, { bpm = tempo.bpm })
  self.signatures[1] = { quarter = 0, measure = 0, numerator = tempo.numerator, denominator = tempo.denominator }
  for i, marker in ipairs(markers) do self:_add_marker(marker, markers[i + 1]) end
  return self
end

function Timeline:_add_piece(quarter, time_s, piece)
  piece.quarter, piece.time_s = quarter, time_s
  piece.next_bpm = piece.next_bpm or piece.bpm
  self.pieces[#self.pieces + 1] = piece
end

function Timeline:_add_marker(marker, following)
  local time_s = self:time(marker.quarter)
  local piece = { bpm = marker.bpm }
  if marker.linear and following then
    piece.next_bpm = following.bpm
    piece.length_s = piece_length_s(marker.bpm, following.bpm, following.quarter - marker.quarter)
  end
  if marker.quarter <= CLOSE_QUARTERS then self.pieces = {} end
  self:_add_piece(marker.quarter, time_s, piece)
  marker.time_s = time_s
  if marker.numerator then self:_add_signature(marker) end
end

function Timeline:_add_signature(marker)
  local before = self.signatures[#self.signatures]
  local measures = (marker.quarter - before.quarter) / (before.numerator * 4 / before.denominator)
  local whole = math.floor(measures + 0.5)
  assert(math.abs(measures - whole) < 1e-6, "a time signature off the barline is not modelled here")
  if whole == 0 then self.signatures[#self.signatures] = nil end
  self.signatures[#self.signatures + 1] = { quarter = marker.quarter, measure = before.measure + whole,
    numerator = marker.numerator, denominator = marker.denominator }
end

local function last_at(list, field, value)
  local low, high = 1, #list
  while low < high do
    local middle = (low + high + 1) // 2
    if list[middle][field] <= value then low = middle else high = middle - 1 end
  end
  return list[low]
end

--- Position in quarter notes of a time in seconds.
function Timeline:quarter(time_s)
  local piece = last_at(self.pieces, "time_s", time_s)
  local passed_s = time_s - piece.time_s
  local slope = piece.length_s and (piece.next_bpm - piece.bpm) / (2 * piece.length_s) or 0
  return piece.quarter + (piece.bpm + slope * passed_s) * passed_s / 60
end

--- Time in seconds of a position in quarter notes.
function Timeline:time(quarter)
  local piece = last_at(self.pieces, "quarter", quarter)
  local passed = quarter - piece.quarter
  if not piece.length_s then return piece.time_s + passed * 60 / piece.bpm end
  local slope = (piece.next_bpm - piece.bpm) / (120 * piece.length_s)
  local speed = piece.bpm / 60
  return piece.time_s + 2 * passed / (speed + math.sqrt(speed * speed + 4 * slope * passed))
end

--- Tempo at a time.
function Timeline:bpm(time_s)
  local piece = last_at(self.pieces, "time_s", time_s)
  if not piece.length_s then return piece.bpm end
  return piece.bpm + (piece.next_bpm - piece.bpm) * (time_s - piece.time_s) / piece.length_s
end

--- The time signature at a position in quarter notes.
function Timeline:signature(quarter) return last_at(self.signatures, "quarter", quarter) end

local function measure_of(signature, number)
  local length = signature.numerator * 4 / signature.denominator
  local start = signature.quarter + (number - signature.measure) * length
  return { number = number, start = start, stop = start + length, signature = signature }
end

--- The measure (from 0) that holds a position in quarter notes: `number`, `start`, `stop`, `signature`.
function Timeline:measure_at(quarter)
  local signature = self:signature(quarter)
  local length = signature.numerator * 4 / signature.denominator
  return measure_of(signature, signature.measure + math.floor((quarter - signature.quarter) / length))
end

--- The measure with this number.
function Timeline:measure(number) return measure_of(last_at(self.signatures, "measure", number), number) end

return Timeline
