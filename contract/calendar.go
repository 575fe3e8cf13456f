package contract

// Workflow types of the calendar.
const (
	// CalendarImportWorkflow tells the cases of a new version of the calendar.
	CalendarImportWorkflow = "CalendarImportWorkflow"
	// CalendarWatchWorkflow looks whether the next year's notice is missing and
	// then opens a duty for it.
	CalendarWatchWorkflow = "CalendarWatchWorkflow"
	// NoticeDutyWorkflow is the case of a missing notice.
	NoticeDutyWorkflow = "NoticeDutyWorkflow"
)

// CalendarImport starts a CalendarImportWorkflow.
type CalendarImport struct {
	Version string `json:"version"` // of the calendar, which is in force already
}

// CalendarImportID is the ID of the workflow that tells of a version.
func CalendarImportID(version string) string { return "calendar/" + version }

// CalendarWatch is the ID of the schedule that starts a CalendarWatchWorkflow,
// and with a moment behind it of each of those.
const CalendarWatch = "calendar-watch"

// NoticeImported is the signal that tells the duty of a year that a notice for
// it may have come in.
const NoticeImported = "notice_imported"
