-- Where in the project a moment was that the daemon tells of. The daemon knows seconds since 1970; REAPER knows where
-- its transport stood at a time of its own clock. Both are noted in each tick.

local LiveClock = {}
LiveClock.__index = LiveClock

local PLAYING = 1
local SHARP_S = 0.1 -- how well the time must be known before it is told: bars then lie within half of that
local JUMP_S = 0.05 -- a position that is off by more is a jump: a loop, a seek, another tempo of playing

local function position_in(piece, time_s) return piece.position_s + (time_s - piece.from_s) * piece.rate end

--- A clock that begins now, at the edit cursor where the transport stands still.
function LiveClock.new(project)
  local self = setmetatable({ project = project, pieces = {} }, LiveClock)
  self:forget_offset()
  self:tick()
  return self
end

function LiveClock:forget_offset() self.least_s, self.most_s = -math.huge, math.huge end

--- Narrow down what time it is: the system's clock shows whole seconds, and each look says where within one we are.
function LiveClock:look_at_the_time(now_s)
  local whole_s = os.time()
  local least_s, most_s = math.max(self.least_s, whole_s - now_s), math.min(self.most_s, whole_s + 1 - now_s)
  if least_s > most_s then -- somebody set the clock
    self:forget_offset()
    return self:look_at_the_time(now_s)
  end
  self.least_s, self.most_s = least_s, most_s
end

--- Note where the transport stands; call it once a tick.
function LiveClock:tick()
  local now_s = reaper.time_precise()
  self:look_at_the_time(now_s)
  local playing = reaper.GetPlayStateEx(self.project) & PLAYING ~= 0
  local last = self.pieces[#self.pieces]
  -- What is played while the transport stands goes on from where it stopped, or from the cursor.
  local position_s = playing and reaper.GetPlayPosition2Ex(self.project)
    or last and position_in(last, now_s) or reaper.GetCursorPositionEx(self.project)
  local rate = playing and reaper.Master_GetPlayRate(self.project) or 1.0
  local goes_on = last and last.playing == playing and last.rate == rate
    and math.abs(position_in(last, now_s) - position_s) < JUMP_S
  if not goes_on then
    self.pieces[#self.pieces + 1] = { from_s = now_s, position_s = position_s, rate = rate, playing = playing }
  end
end

--- Project time of a moment in seconds since 1970.
function LiveClock:project_time(unix_s)
  local time_s = unix_s - (self.least_s + self.most_s) / 2
  local found = self.pieces[1]
  for _, piece in ipairs(self.pieces) do
    if piece.from_s <= time_s then found = piece end
  end
  return math.max(0, position_in(found, time_s))
end

--- The stretch in which the transport plays or stands now; nil while the time is not known well enough to say when.
function LiveClock:stretch()
  if self.most_s - self.least_s <= SHARP_S then return self.pieces[#self.pieces] end
  return nil
end

--- When a stretch began, in seconds since 1970.
function LiveClock:began(stretch) return stretch.from_s + (self.least_s + self.most_s) / 2 end

return LiveClock
