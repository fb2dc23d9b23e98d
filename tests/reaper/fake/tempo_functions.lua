-- REAPER's functions for the tempo map and the grid.

local projects = require("project")
local violations = require("violations")

local reaper = {}

local NO_CHANGE = -1 -- of a time signature, at a marker that has none

function reaper.CountTempoTimeSigMarkers(project) return #project.timeline.markers end

function reaper.GetTempoTimeSigMarker(project, index)
  local marker = index >= 0 and project.timeline.markers[index + 1]
  if not marker then return false, 0, 0, 0, 0, 0, 0, false end
  local measure = project.timeline:measure_at(marker.quarter)
  local beat = (marker.quarter - measure.start) * measure.signature.denominator / 4
  return true, marker.time_s, measure.number, beat, marker.bpm, marker.numerator or NO_CHANGE,
    marker.denominator or NO_CHANGE, marker.linear or false
end

function reaper.TimeMap2_timeToQN(project, time_s) return project.timeline:quarter(time_s) end

function reaper.TimeMap2_QNToTime(project, quarter) return project.timeline:time(quarter) end

function reaper.TimeMap_QNToMeasures(project, quarter)
  local measure = project.timeline:measure_at(quarter)
  return measure.number + 1, measure.start, measure.stop
end

function reaper.TimeMap_GetTimeSigAtTime(project, time_s)
  local signature = project.timeline:signature(project.timeline:quarter(time_s))
  return signature.numerator, signature.denominator, project.timeline:bpm(time_s)
end

function reaper.GetSetProjectGrid(project, set, division, swing_mode, swing)
  if set then
    if not division or division <= 0 then violations.raise("GetSetProjectGrid: a grid needs a division") end
    projects.touch(project, "misc")
    project.grid = { division = division, swing_mode = swing_mode or 0, swing = swing or 0 }
  end
  return 0, project.grid.division, project.grid.swing_mode, project.grid.swing
end

return reaper
