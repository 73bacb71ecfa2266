"""OCI images as bytes: documents, layers, blobs and layouts."""
