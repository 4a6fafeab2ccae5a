"""`penviz.Recorder` as callbacks of training libraries; each is imported where that library is installed."""
