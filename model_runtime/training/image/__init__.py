"""The image reader's training: pages drawn, labelled and spoilt as scans and photographs are, and the reader taught."""
