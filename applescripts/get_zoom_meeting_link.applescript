-- Zoom has no scripting dictionary: only its web API makes meetings, with credentials that a script must not hold. So this
-- script makes nothing and says so, rather than give a link that leads nowhere.
-- Arguments: topic; start (0, 3 or 6, then its numbers); duration in minutes; invitees (their number, then addresses).
-- Errors: 20010 always.

on run argv
	error "a Zoom meeting can't be made by a script; it needs Zoom's web API" number 20010
end run
