"""Where documents come from by themselves: a folder, a bucket, pages. A new kind is one file and a line in `kinds`."""
