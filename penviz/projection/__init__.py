"""Three classes on the plane of their templates, and the other views of the same features."""
