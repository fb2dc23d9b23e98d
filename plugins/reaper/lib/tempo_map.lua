-- The project's tempo map, as the protocol's option `tempo_map`: its beats are the project's own quarter notes, on the
-- time axis of what is sent.

local json = require("scorebridge.json")
local slices = require("scorebridge.slices")

local tempo_map = {}

local EXACT_S = 0.0005 -- how far a ramp's straight pieces may be from the ramp
local SHORTEST_PIECE_S = 0.02
local MOST_POINTS = 20000
local MOST_MEASURES = 20000

--- Times of the tempo markers strictly between two project times.
local function markers_between(project, from_s, to_s)
  local times = {}
  for i = 0, reaper.CountTempoTimeSigMarkers(project) - 1 do
    local found, time_s = reaper.GetTempoTimeSigMarker(project, i)
    if found and time_s > from_s and time_s < to_s then times[#times + 1] = time_s end
    slices.pause()
  end
  table.sort(times)
  return times
end

--- Add the points of a stretch without markers inside: one where the tempo is constant, more where it is a ramp.
local function add_piece(points, project, from, to)
  local length_s = to[1] - from[1]
  local middle_s = from[1] + length_s / 2
  local middle_quarter = reaper.TimeMap2_timeToQN(project, middle_s)
  local quarters_a_second = (to[2] - from[2]) / length_s
  local straight = (from[2] + to[2]) / 2
  if length_s > SHORTEST_PIECE_S and math.abs(middle_quarter - straight) > EXACT_S * quarters_a_second
    and #points < MOST_POINTS then
    local middle = { middle_s, middle_quarter }
    add_piece(points, project, from, middle)
    add_piece(points, project, middle, to)
  else
    points[#points + 1] = to
  end
  slices.pause()
end

local function points_between(project, from_s, to_s)
  local times = markers_between(project, from_s, to_s)
  times[#times + 1] = to_s
  local last = { from_s, reaper.TimeMap2_timeToQN(project, from_s) }
  local points = { last }
  for _, time_s in ipairs(times) do
    local point = { time_s, reaper.TimeMap2_timeToQN(project, time_s) }
    if point[1] > last[1] and point[2] > last[2] then
      add_piece(points, project, last, point)
      last = point
    end
  end
  return points
end

--- Time signatures of the measures from the one that holds `from_s` on, each where it changes.
local function meters_between(project, from_s, to_s)
  local meters = json.array()
  local quarter = reaper.TimeMap2_timeToQN(project, from_s)
  local last_quarter = reaper.TimeMap2_timeToQN(project, to_s)
  for _ = 1, MOST_MEASURES do
    -- A moment behind the barline: the rounding of a position must not find the measure before it.
    local _, starts, ends = reaper.TimeMap_QNToMeasures(project, quarter + 1e-6)
    local time_s = reaper.TimeMap2_QNToTime(project, starts)
    local numerator, denominator = reaper.TimeMap_GetTimeSigAtTime(project, time_s + 1e-6)
    local last = meters[#meters]
    if not last or last.numerator ~= numerator or last.denominator ~= denominator then
      meters[#meters + 1] = { quarter = starts, numerator = numerator, denominator = denominator }
    end
    if ends >= last_quarter or ends <= quarter then break end
    quarter = ends
    slices.pause()
  end
  return meters
end

--- The tempo map of a stretch of the project.
-- It begins at the barline at or before `from_s`, so that measures are counted as the project counts them.
-- @param origin_s project time that is 0 in the result
function tempo_map.between(project, from_s, to_s, origin_s)
  local meters = meters_between(project, from_s, to_s)
  local barline_s = meters[1] and reaper.TimeMap2_QNToTime(project, meters[1].quarter) or from_s
  local points = json.array()
  for _, point in ipairs(points_between(project, math.min(barline_s, from_s), to_s)) do
    points[#points + 1] = json.array({ point[1] - origin_s, point[2] })
  end
  return { points = points, meters = meters, keys = json.array() }
end

--- Position in quarter notes of a time, in a map of points {seconds, quarters}; its first and last slopes go on.
function tempo_map.quarter_at(points, time_s)
  local low, high = 1, #points - 1
  while low < high do
    local middle = (low + high + 1) // 2
    if points[middle][1] <= time_s then low = middle else high = middle - 1 end
  end
  local from, to = points[low], points[low + 1]
  return from[2] + (time_s - from[1]) * (to[2] - from[2]) / (to[1] - from[1])
end

return tempo_map
